//! The nginx that stands before a fleet, as docs/OPERATING.md sets it up.

use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Platform, Ports, Process, eventually};

impl Platform {
    /// Starts the nginx; its ports are open when this returns.
    pub(super) fn start_proxy(&self) -> Process {
        let config = self.file("nginx.conf");
        std::fs::write(&config, self.proxy_config()).unwrap();
        let mut command = Command::new(program());
        command.args(["-c", &config, "-e", "stderr", "-p", &self.file("")]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let process = Process::of(&mut command);
        for port in [self.api_port, self.edge_port] {
            eventually("nginx", || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok());
        }
        process
    }

    fn proxy_config(&self) -> String {
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("  {kind}_temp_path {};\n", self.file(&format!("nginx-{kind}"))))
            .concat();
        let (cert, key, ca) = (self.file("cert.pem"), self.file("key.pem"), self.file("ca.pem"));
        let pid = self.file("nginx.pid");
        // One process, so that its end is the end of it.
        format!(
            "daemon off;
master_process off;
pid {pid};
events {{ worker_connections 4096; }}
http {{
{temporary}  access_log off;
  client_max_body_size 0;
  proxy_http_version 1.1;
  proxy_buffering off;
  proxy_request_buffering off;
  proxy_read_timeout 330s;
  proxy_connect_timeout 2s;
  proxy_set_header Host $http_host;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header Connection \"\";
  proxy_ssl_verify on;
  proxy_ssl_trusted_certificate {ca};
  proxy_ssl_name localhost;
  proxy_ssl_server_name on;
  ssl_certificate {cert};
  ssl_certificate_key {key};
  upstream api {{ {apis} keepalive 16; }}
  upstream edge {{ {executors} keepalive 16; }}
  server {{ listen 127.0.0.1:{api_port} ssl; location / {{ proxy_pass https://api; }} }}
  server {{ listen 127.0.0.1:{edge_port} ssl; location / {{ proxy_pass https://edge; }} }}
}}
",
            apis = servers(&self.apis),
            executors = servers(&self.executors),
            api_port = self.api_port,
            edge_port = self.edge_port,
        )
    }
}

/// Debian keeps it off the path of those who are not root.
fn program() -> &'static str {
    if Path::new("/usr/sbin/nginx").is_file() { "/usr/sbin/nginx" } else { "nginx" }
}

fn servers(nodes: &[Ports]) -> String {
    let server = |node: &Ports| format!("server 127.0.0.1:{} max_fails=0;", node.public);
    nodes.iter().map(server).collect()
}
