//! What the settings of outbound connections mean.

use std::time::Duration;

use wasmcloud_executor::egress::{AddressRules, Egress, OutboundLimits, PortRules, Roots, Settings};

use super::text::{List, Port, Range};
use super::{EgressOptions, File};
use crate::failure::Failure;
use crate::platform::failed;

impl EgressOptions {
    /// Completes these settings by the file's.
    pub fn complete(self, file: &File) -> EgressOptions {
        self.or(file.egress.clone())
    }

    /// The way out that these settings describe.
    pub fn egress(&self) -> Result<Egress, Failure> {
        let settings = Settings {
            addresses: AddressRules { opened: ranges(&self.open), closed: ranges(&self.close) },
            ports: PortRules { opened: ports(&self.ports) },
            limits: self.limits()?,
            roots: self.roots()?,
            ..Settings::default()
        };
        Egress::new(settings).map_err(|error| failed("egress", error, "check --egress-ca"))
    }

    fn limits(&self) -> Result<OutboundLimits, Failure> {
        let usual = OutboundLimits::default();
        let count = |name: &str, value: Option<u64>, usual: u32, most: u32| {
            let value = within(name, value.unwrap_or(usual.into()), 1, most.into())?;
            Ok::<_, Failure>(u32::try_from(value).unwrap_or(most))
        };
        let time = |name: &str, value: Option<u64>, usual: Duration| {
            let usual = u64::try_from(usual.as_millis()).unwrap_or(u64::MAX);
            Ok::<_, Failure>(Duration::from_millis(within(name, value.unwrap_or(usual), 1, 300_000)?))
        };
        let connect = time("connect_ms", self.connect_ms, usual.connect)?;
        let bytes = self.response_bytes.unwrap_or(usual.response_bytes_max);
        Ok(OutboundLimits {
            requests_max: count("requests_max", self.requests_max, usual.requests_max, 10_000)?,
            at_once_max: count("at_once_max", self.at_once_max, usual.at_once_max, 100)?,
            resolve: usual.resolve.min(connect),
            connect,
            request: time("request_ms", self.request_ms, usual.request)?,
            response_bytes_max: within("response_bytes", bytes, 1, 1 << 40)?,
            ..usual
        })
    }

    fn roots(&self) -> Result<Roots, Failure> {
        let Some(path) = &self.ca_file else { return Ok(Roots::default()) };
        let hint = "name a PEM file with certificates: --egress-ca FILE";
        let pem = std::fs::read(path)
            .map_err(|error| failed("egress_ca", format!("cannot read {}: {error}", path.display()), hint))?;
        let roots = Roots::default().and_pem(&pem);
        roots.map_err(|error| failed("egress_ca", format!("{}: {error}", path.display()), hint))
    }
}

fn ranges(list: &Option<List<Range>>) -> Vec<wasmcloud_executor::egress::IpNet> {
    list.iter().flat_map(|list| &list.0).map(|range| range.0).collect()
}

fn ports(list: &Option<List<Port>>) -> Vec<u16> {
    list.iter().flat_map(|list| &list.0).map(|port| port.0).collect()
}

fn within(name: &str, value: u64, least: u64, most: u64) -> Result<u64, Failure> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    let flag = name.replace('_', "-");
    Err(Failure::usage(
        format!("{name} of [egress] is {value}"),
        format!("choose from {least} to {most}: --egress-{flag}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_ports_and_limits_are_read_from_flags_and_from_the_file_alike() {
        let file: EgressOptions = toml::from_str(
            "open = [\"10.0.0.0/8\", \"127.0.0.1\"]\nports = [25, 22]\nrequests_max = 3\nconnect_ms = 50",
        )
        .unwrap();
        let flags = EgressOptions {
            open: Some("10.0.0.0/8, 127.0.0.1".parse().unwrap()),
            ports: Some("25,22".parse().unwrap()),
            requests_max: Some(3),
            connect_ms: Some(50),
            ..EgressOptions::default()
        };
        for options in [file, flags] {
            let shown = format!("{:?}", options.egress().unwrap());
            for part in ["10.0.0.0/8", "127.0.0.1/32", "25", "22", "requests_max: 3", "connect: 50ms"] {
                assert!(shown.contains(part), "{part} in {shown}");
            }
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_a_name() {
        let error = "10.0.0.0/8,localhost".parse::<List<Range>>().unwrap_err();
        assert_eq!(error.matches("localhost").count(), 1, "{error}");
        for text in ["25,abc", "25,65536", "-1"] {
            let error = text.parse::<List<Port>>().unwrap_err();
            assert!(error.contains("from 0 to 65535, such as 25"), "{error}");
        }
        let options = EgressOptions { at_once_max: Some(0), ..EgressOptions::default() };
        assert!(options.egress().unwrap_err().to_string().contains("at_once_max"));
        let options = EgressOptions { ca_file: Some("/nowhere".into()), ..EgressOptions::default() };
        assert!(options.egress().unwrap_err().to_string().contains("/nowhere"));
    }
}
