//! Looks at mail hosts as senders do: connect, EHLO, STARTTLS, and see which certificate comes, for each kind of key.
//!
//! It asks and reports, and decides nothing. A host that hangs, talks without end or sends garbage costs a bounded time and
//! some kilobytes. No mail is ever sent.

mod dialogue;
mod fault;
mod group;
mod proof;
mod threads;
mod tls;

pub use fault::{Fault, Stage};
pub use threads::{HostsSeen, Looked, NoPlace, Prober, Round};

use crate::cert::{Chain, KeyClass};
use crate::time::steady;
use dialogue::Line;
use proof::Curves;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

/// What is known of a host that answered, and showed no certificate to anybody.
pub const NO_KEY: &str = "it shows no certificate with a key that can be verified here (RSA, ECDSA on P-256, P-384 or \
    P-521, Ed25519), so its key is not known: if it has one of another kind, name its certificate in `certificates` and set \
    `probe = false` for the pool";

/// One way of looking at one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where it takes mail.
    pub address: SocketAddr,
    /// The name that is asked for (SNI); none: no name is.
    pub sni: Option<String>,
    /// The signature algorithms that are offered.
    pub class: KeyClass,
}

/// How looks are done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manner {
    /// The name said in EHLO.
    pub helo: String,
    /// Time for all of one look.
    pub timeout: Duration,
}

/// What a host showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// Its chain; none: it has no certificate of that kind.
    pub chain: Option<Chain>,
    /// Version of TLS; empty where there was no handshake.
    pub tls: String,
}

/// Looks at one host once.
///
/// # Errors
/// [`Fault`], within the time of `manner`.
pub fn look(target: &Target, manner: &Manner) -> Result<Sight, Fault> {
    let seen = look_for(target, manner, Curves::All);
    if target.class != KeyClass::Ecdsa || !matches!(seen, Err(Fault::Unproven(_))) {
        return seen;
    }
    // That it has no other signature is no sign of its having no certificate.
    let proved = look_for(target, manner, Curves::Smaller);
    if proved.as_ref().is_ok_and(|sight| sight.chain.is_some()) { proved } else { seen }
}

fn look_for(target: &Target, manner: &Manner, curves: Curves) -> Result<Sight, Fault> {
    let until = steady() + manner.timeout;
    let stream = TcpStream::connect_timeout(&target.address, manner.timeout).map_err(|cause| fault::connect(&cause))?;
    // Small lines go out at once; where that cannot be had, they go out later.
    let _ = stream.set_nodelay(true);
    let mut line = Line::new(stream, until);
    dialogue::start_tls(&mut line, &manner.helo)?;
    tls::shake_hands(&mut line, target, curves)
}

/// All ways of looking at hosts: with the endpoint's name and without, once for each kind of key.
pub fn targets(addresses: &[IpAddr], port: u16, endpoint: Option<&str>) -> Vec<Target> {
    let names: Vec<Option<String>> = endpoint.map(|name| Some(name.to_owned())).into_iter().chain([None]).collect();
    let mut all = Vec::new();
    for address in addresses.iter().map(|address| SocketAddr::new(*address, port)) {
        for sni in &names {
            all.extend(KeyClass::ALL.map(|class| Target { address, sni: sni.clone(), class }));
        }
    }
    all
}
