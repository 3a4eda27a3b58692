//! Every outbound connection of every program goes through here.
//!
//! An [`Egress`] is a value that a process makes once; a [`Session`] is one invocation's way out, with the
//! handler's [`Policy`] and a budget. A URL passes, in this order and before anything is sent:
//!
//! 1. [`Target`]: it is read once, into one form, whatever its spelling;
//! 2. its scheme is one of the call's, the [`Policy`] permits it, [`PortRules`] permit its port;
//! 3. the invocation has requests and places left ([`OutboundLimits`]);
//! 4. its name is resolved, once, and [`AddressRules`] judge each address; an address in the URL is judged
//!    the same way;
//! 5. one of the addresses that passed is connected to, never the name again.
//!
//! A redirect begins at 1. Whatever refuses is an [`EgressError`] that names the rule, the address, and by
//! [`EgressError::hint`] what to do, without naming anybody's command.
//!
//! Connections are reused within one invocation only. A pool for each handler would save a handshake now
//! and then, and in exchange hold sockets that no invocation accounts for, and carry state from one
//! invocation into the next, which this platform promises not to do.

mod address;
mod body;
mod connection;
mod dial;
mod error;
mod limits;
mod port;
mod request;
mod resolver;
mod session;
mod tls;

pub use address::{AddressRefusal, AddressRules, CLOSED_BY_OPERATOR, parse_range};
pub use body::ResponseBody;
pub use connection::Connection;
pub use error::{EgressError, Step};
pub use ipnet::IpNet;
pub use limits::OutboundLimits;
pub use port::PortRules;
pub use request::{HEADER_BYTES_MAX, Outgoing, Redirects};
pub use resolver::{Resolver, SystemResolver};
pub use session::{Egress, Session, Settings, Usage, User};
pub use tls::Roots;
// What may be opened is judged by rules that need no network; whoever uses a session uses them as well.
pub use wasmcloud_policy::{
    Denial, DenialReason, GAS_DEFAULT, NETWORK_SCHEMES, PATTERN_BYTES_MAX, POLICY_FILE_BYTES_MAX,
    PatternError, Policy, PolicyError, PolicyFile, PolicyFileError, Problem, RAM_PAGES_DEFAULT, RULES_MAX,
    Target, TargetError, URL_BYTES_MAX, UrlPattern, Verdict, rule_for,
};
