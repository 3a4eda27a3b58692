//! Which ports may be connected to.
//!
//! Any, but those that the Fetch standard calls bad ports: the well-known ports of other protocols, which an
//! HTTP request could be made to speak by accident or on purpose (mail, chat, databases of addresses). A
//! policy's rules narrow this further: a rule without a port means the scheme's own.

/// What an operator opens although it is refused by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortRules {
    /// Ports to open.
    pub opened: Vec<u16>,
}

impl PortRules {
    /// Whether a port may be connected to.
    pub fn permit(&self, port: u16) -> bool {
        BAD_PORTS.binary_search(&port).is_err() || self.opened.contains(&port)
    }
}

/// <https://fetch.spec.whatwg.org/#port-blocking>, in ascending order.
const BAD_PORTS: [u16; 83] = [
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103,
    104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514,
    515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723,
    2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_chat_and_shells_are_refused_and_the_web_is_not() {
        let rules = PortRules::default();
        for port in [0, 22, 25, 53, 465, 587, 6667, 10080] {
            assert!(!rules.permit(port), "{port}");
        }
        for port in [80, 443, 1965, 8080, 8443, 65535] {
            assert!(rules.permit(port), "{port}");
        }
    }

    #[test]
    fn an_operator_can_open_a_port() {
        let rules = PortRules { opened: vec![25] };
        assert!(rules.permit(25) && !rules.permit(22));
    }

    #[test]
    fn the_list_can_be_searched() {
        assert!(BAD_PORTS.is_sorted());
    }
}
