//! The command lines that the processes are started with.

use std::net::Ipv4Addr;

use super::{Platform, SERVICE_TOKEN, SPLIT_DOMAIN, Shape};

impl Platform {
    /// The command line of `serve` or `api`.
    pub fn api_args(&self) -> Vec<String> {
        let mut args = match self.shape {
            Shape::Serve => {
                vec!["serve".to_owned(), "--edge-listen".to_owned(), local(self.edge_port)]
            }
            Shape::Split => [
                "api",
                "--executor",
                &format!("https://localhost:{}", self.internal_port),
                "--edge-url",
                &format!("https://{SPLIT_DOMAIN}:{}", self.edge_port),
                "--api-tls-cert",
                &self.file("cert.pem"),
                "--api-tls-key",
                &self.file("key.pem"),
                "--plane-ca",
                &self.file("ca.pem"),
                "--service-token-file",
                &self.token_file("api", SERVICE_TOKEN),
            ]
            .map(str::to_owned)
            .to_vec(),
        };
        args.extend(["--data", &self.file("data"), "--api-listen", &local(self.api_port)].map(str::to_owned));
        args.extend(self.api_flags.clone());
        args.extend(self.common_flags.clone());
        args
    }

    /// The command line of `executor`.
    pub fn executor_args(&self) -> Vec<String> {
        let mut args: Vec<String> = [
            "executor",
            "--data",
            &self.file("executor"),
            "--api",
            &self.api_url(),
            "--edge-listen",
            &local(self.edge_port),
            "--edge-domain",
            SPLIT_DOMAIN,
            "--edge-tls-cert",
            &self.file("cert.pem"),
            "--edge-tls-key",
            &self.file("key.pem"),
            "--internal-listen",
            &local(self.internal_port),
            "--internal-tls-cert",
            &self.file("cert.pem"),
            "--internal-tls-key",
            &self.file("key.pem"),
            "--plane-ca",
            &self.file("ca.pem"),
            "--service-token-file",
            &self.token_file("executor", self.executor_token),
        ]
        .map(str::to_owned)
        .to_vec();
        args.extend(self.common_flags.clone());
        args
    }

    fn token_file(&self, whose: &str, token: &str) -> String {
        let path = self.file(&format!("{whose}-service-token"));
        std::fs::write(&path, token).unwrap();
        path
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }
}

fn local(port: u16) -> String {
    format!("{}:{port}", Ipv4Addr::LOCALHOST)
}
