//! Which of the addresses that the server listens on this host has now.
//!
//! All were bound at the start, also those that no interface had then: queries to them are answered once it has one.

use crate::config::Config;
use crate::diagnostic::{Diagnostic, Place};
use crate::process::address::is_here;
use std::net::{IpAddr, SocketAddr};

/// The addresses of the configuration that the server was started with.
pub(crate) struct Addresses(Vec<(&'static str, SocketAddr)>);

impl Addresses {
    /// All that `config` names.
    pub(crate) fn of(config: &Config) -> Addresses {
        let encrypted = &config.encrypted;
        let lists = [("[server] listen", &config.server.listen), ("[encrypted] dot", &encrypted.dot)];
        let lists = lists.into_iter().chain([("[encrypted] doq", &encrypted.doq)]);
        let all = lists.flat_map(|(setting, list)| list.iter().map(move |address| (setting, *address)));
        Addresses(all.chain(config.metrics.map(|address| ("[metrics] listen", address))).collect())
    }

    /// Those that this host lacks, as findings.
    pub(crate) fn findings(&self) -> Vec<Diagnostic> {
        let missing = self.0.iter().filter(|(_, address)| !is_here(*address));
        missing.map(|(setting, address)| finding(setting, *address)).collect()
    }
}

fn finding(setting: &str, address: SocketAddr) -> Diagnostic {
    let message =
        format!("no interface of this host has {}: nobody is answered at {address} ({setting})", address.ip());
    let add = match address.ip() {
        IpAddr::V4(ip) => format!("ip address add {ip}/32 dev INTERFACE"),
        IpAddr::V6(ip) => format!("ip address add {ip}/128 dev INTERFACE"),
    };
    let help = format!(
        "nothing, if another machine has it now or it comes later: it is bound already, and is answered at as soon as it is there; \
         else `{add}`, or correct it in mxseal.toml and restart"
    );
    Diagnostic::warning("MX6201", Place::file("mxseal.toml"), message, help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_this_host_lacks_are_warnings_with_their_setting() {
        let at = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let mut config = Config::default();
        config.server.listen = vec![at("127.0.0.1:53"), at("203.0.113.77:53"), at("0.0.0.0:53")];
        config.encrypted.doq = vec![at("203.0.113.78:853")];
        config.metrics = Some(at("203.0.113.79:9153"));
        let found = Addresses::of(&config).findings();
        let settings = ["[server] listen", "[encrypted] doq", "[metrics] listen"];
        assert_eq!(found.len(), settings.len());
        for (found, setting) in found.iter().zip(settings) {
            assert!(found.message.ends_with(&format!("({setting})")), "{}", found.one_line());
            assert!(found.help.contains("/32 dev"), "{}", found.help);
        }
    }
}
