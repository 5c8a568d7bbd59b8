//! The steps of `cert rotate`, decided before any of them is taken.
//!
//! Pure. A dry run is deciding without acting; what is done already is not done again.

use crate::cert::{Chain, KeyKind};
use crate::config::PoolSettings;
use crate::protocol::{CertInfo, CertKeyClass, CertKeyKind, HostInfo, HostStanding};

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// The files that hosts read are exchanged, and the command behind that is run.
    Install,
    /// The command gives it to one host.
    Deploy(String),
    /// One host is looked at until it shows the key.
    Look(String),
    /// The file that pools.toml names becomes the new certificate.
    Watch(String),
}

/// How a chain comes to the hosts of a pool; none: the configuration does not say.
pub fn steps(info: &CertInfo, chain: &Chain, settings: &PoolSettings) -> Option<Vec<Act>> {
    let spki = chain.leaf.spki.to_string();
    let hosts: Vec<&HostInfo> =
        info.hosts.iter().filter(|host| !matches!(host.state, HostStanding::Leaving | HostStanding::Tenants)).collect();
    let late: Vec<&HostInfo> = hosts.into_iter().filter(|host| !shows(host, &spki, chain.leaf.kind)).collect();
    let mut acts = Vec::new();
    if settings.install.is_some() {
        if !late.is_empty() || info.hosts.is_empty() {
            acts.push(Act::Install);
        }
        acts.extend(late.iter().map(|host| Act::Look(host.address.clone())));
    } else if !settings.deploy.is_empty() {
        let both = |host: &&HostInfo| [Act::Deploy(host.address.clone()), Act::Look(host.address.clone())];
        acts.extend(late.iter().flat_map(both));
    } else {
        return None;
    }
    let old =
        |file: &&crate::protocol::CertificateInfo| file.kind == CertKeyKind::from(chain.leaf.kind) && file.spki != spki;
    acts.extend(info.certificates.iter().filter(old).map(|file| Act::Watch(file.file.clone())));
    Some(acts)
}

/// Whether a host shows a key to all who ask with its kind, and nothing else.
pub fn shows(host: &HostInfo, spki: &str, kind: KeyKind) -> bool {
    let Some(class) = kind.class().map(CertKeyClass::from) else { return false };
    let shown: Vec<_> = host.shows.iter().filter(|shown| shown.class == class).collect();
    host.fault.is_empty() && !shown.is_empty() && shown.iter().all(|shown| shown.spki.as_deref() == Some(spki))
}

/// A command with what its placeholders stand for.
pub fn fill(words: &[String], address: &str, pool: &str, certificate: &str, key: &str) -> Vec<String> {
    let fill = |word: &String| {
        let word = word.replace("{address}", address).replace("{pool}", pool);
        word.replace("{certificate}", certificate).replace("{key}", key)
    };
    words.iter().map(fill).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cert::chain;
    use crate::cert::make::PrivateKey;
    use crate::config::Install;
    use crate::protocol::{CertificateInfo, ShownInfo};
    use crate::time::UnixTime;

    fn chain() -> Chain {
        let key = PrivateKey::generate(KeyKind::EcdsaP256).expect("a key");
        let pem = key.self_signed(&["mx.example".to_owned()], UnixTime(1_700_000_000), 90).expect("a certificate");
        chain::parse_pem(pem.as_bytes()).expect("a chain")
    }

    fn host(address: &str, spkis: &[&str]) -> HostInfo {
        let shown = |spki: &&str| ShownInfo {
            class: CertKeyClass::Ecdsa,
            spki: Some((*spki).to_owned()),
            ..ShownInfo::default()
        };
        let shows = spkis.iter().map(shown).collect();
        HostInfo { address: address.to_owned(), state: HostStanding::Served, shows, ..HostInfo::default() }
    }

    #[test]
    fn each_host_is_given_it_and_looked_at_and_the_watched_file_is_last() {
        let chain = chain();
        let spki = chain.leaf.spki.to_string();
        let file =
            |kind: CertKeyKind| CertificateInfo { file: format!("{kind}.pem"), kind, ..CertificateInfo::default() };
        let info = CertInfo {
            hosts: vec![
                host("192.0.2.1", &["old", "old"]),
                host("192.0.2.2", &[&spki, &spki]),
                host("192.0.2.3", &[&spki, "old"]),
            ],
            certificates: vec![file(CertKeyKind::Rsa), file(CertKeyKind::EcdsaP256)],
            ..CertInfo::default()
        };
        let deploy = PoolSettings { deploy: vec!["/bin/x".to_owned()], ..PoolSettings::default() };
        let [one, three] = ["192.0.2.1", "192.0.2.3"].map(str::to_owned);
        let watch = Act::Watch("ecdsa-p256.pem".to_owned());
        let wanted = [
            Act::Deploy(one.clone()),
            Act::Look(one.clone()),
            Act::Deploy(three.clone()),
            Act::Look(three.clone()),
            watch.clone(),
        ];
        assert_eq!(steps(&info, &chain, &deploy).expect("a way"), wanted);
        let install = Install { certificate: "c".into(), key: "k".into(), then: Vec::new() };
        let install = PoolSettings { install: Some(install), ..PoolSettings::default() };
        assert_eq!(
            steps(&info, &chain, &install).expect("a way"),
            [Act::Install, Act::Look(one), Act::Look(three), watch]
        );
        assert_eq!(steps(&info, &chain, &PoolSettings::default()), None);
    }

    #[test]
    fn a_host_that_could_not_be_looked_at_shows_nothing() {
        let seen = HostInfo { fault: "it hangs".to_owned(), ..host("192.0.2.1", &["a"]) };
        assert!(!shows(&seen, "a", KeyKind::EcdsaP256) && shows(&host("x", &["a"]), "a", KeyKind::EcdsaP384));
        assert!(!shows(&host("x", &["a"]), "a", KeyKind::Rsa) && !shows(&host("x", &[]), "a", KeyKind::EcdsaP256));
    }

    #[test]
    fn placeholders_are_filled_wherever_they_stand() {
        let words = ["/bin/scp".to_owned(), "{certificate}".to_owned(), "root@{address}:/etc/{pool}.pem".to_owned()];
        assert_eq!(
            fill(&words, "192.0.2.1", "eu", "c.pem", "k.pem"),
            ["/bin/scp", "c.pem", "root@192.0.2.1:/etc/eu.pem"]
        );
    }
}
