//! The command lines that the processes are started with.

use std::net::Ipv4Addr;

use super::{Platform, SERVICE_TOKEN, SPLIT_DOMAIN, Shape};

impl Platform {
    /// The command line of `serve` or the first `api`.
    pub fn api_args(&self) -> Vec<String> {
        self.api_args_of(0)
    }

    pub(super) fn api_args_of(&self, number: usize) -> Vec<String> {
        let listen = local(self.apis[number].public);
        let data = self.node_folder("data", number);
        let mut args = if self.shape == Shape::Serve {
            vec!["serve".to_owned(), "--edge-listen".to_owned(), local(self.edge_port)]
        } else {
            self.split_api_args()
        };
        args.extend(["--data", data.to_str().unwrap(), "--api-listen", &listen].map(str::to_owned));
        if self.shape == Shape::Serve {
            args.extend(self.edge_flags.clone());
        }
        args.extend(self.proxy_flags());
        args.extend(self.api_flags.clone());
        args.extend(self.common_flags.clone());
        args
    }

    fn split_api_args(&self) -> Vec<String> {
        std::fs::create_dir_all(self.keys()).unwrap();
        let mut args: Vec<String> = [
            "api",
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
            "--jwt-key-file",
            self.keys().join("jwt-key.pk8").to_str().unwrap(),
            "--settings-key-file",
            self.settings_key().to_str().unwrap(),
        ]
        .map(str::to_owned)
        .to_vec();
        args.extend(self.keeping.flags(self.folder.path()));
        args
    }

    /// The command line of the first `executor`.
    pub fn executor_args(&self) -> Vec<String> {
        self.executor_args_of(0)
    }

    pub(super) fn executor_args_of(&self, number: usize) -> Vec<String> {
        let ports = &self.executors[number];
        let mut args: Vec<String> = [
            "executor",
            "--data",
            self.node_folder("executor", number).to_str().unwrap(),
            "--api",
            &self.api_url(),
            "--edge-listen",
            &local(ports.public),
            "--edge-domain",
            SPLIT_DOMAIN,
            "--edge-tls-cert",
            &self.file("cert.pem"),
            "--edge-tls-key",
            &self.file("key.pem"),
            "--internal-listen",
            &local(ports.internal),
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
        args.extend(self.proxy_flags());
        args.extend(self.edge_flags.clone());
        args.extend(self.common_flags.clone());
        args
    }

    /// The nginx is on this machine, and believed; clients of its other addresses are not.
    fn proxy_flags(&self) -> Vec<String> {
        match self.shape {
            Shape::Fleet => ["--trusted-proxies", "127.0.0.1,::1"].map(str::to_owned).to_vec(),
            _ => Vec::new(),
        }
    }

    /// Gives both planes other service tokens while they run.
    pub fn change_service_tokens(&self, tokens: &[&str]) {
        for whose in ["api", "executor"] {
            // Replaced as a whole: a process may look at any moment.
            let next = self.token_file(&format!("{whose}-next"), &tokens.join("\n"));
            std::fs::rename(next, self.file(&format!("{whose}-service-token"))).unwrap();
        }
    }

    fn token_file(&self, whose: &str, token: &str) -> String {
        let path = self.file(&format!("{whose}-service-token"));
        std::fs::write(&path, token).unwrap();
        let only_its_owner = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&path, only_its_owner).unwrap();
        path
    }

    pub(super) fn file(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }
}

fn local(port: u16) -> String {
    format!("{}:{port}", Ipv4Addr::LOCALHOST)
}
