//! The key exchange on P-521, which the library lacks.
//!
//! In TLS 1.2 a host with a key on that curve shows its certificate only to those who take the curve for exchanges, too
//! (RFC 8422 § 5.1). The secret is used for one look, in which nothing is secret.

use p521::elliptic_curve::point::AffineCoordinates;
use p521::elliptic_curve::sec1::ToSec1Point;
use p521::{PublicKey, SecretKey};
use ring::rand::{SecureRandom, SystemRandom};
use rustls::crypto::{ActiveKeyExchange, GetRandomFailed, SharedSecret, SupportedKxGroup};
use rustls::{Error, NamedGroup, PeerMisbehaved};
use zeroize::Zeroizing;

/// Octets of a secret: 521 bits.
const SECRET_OCTETS: usize = 66;
/// Draws, at most: not one in 2^256 is past the curve's order.
const DRAWS_MAX: usize = 4;

/// The group as the library takes it.
#[derive(Debug)]
pub(super) struct P521;

struct Exchange {
    secret: SecretKey,
    public: Box<[u8]>,
}

impl SupportedKxGroup for P521 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let secret = (0..DRAWS_MAX).find_map(|_| draw()).ok_or(GetRandomFailed)?;
        let public = secret.public_key().to_sec1_point(false).as_bytes().into();
        Ok(Box::new(Exchange { secret, public }))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::secp521r1
    }
}

fn draw() -> Option<SecretKey> {
    let mut octets = Zeroizing::new([0; SECRET_OCTETS]);
    SystemRandom::new().fill(octets.as_mut()).ok()?;
    octets[0] &= 1;
    SecretKey::from_slice(octets.as_ref()).ok()
}

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let peer = PublicKey::from_sec1_bytes(peer).map_err(|_| Error::from(PeerMisbehaved::InvalidKeyShare))?;
        let point = peer.to_projective() * *self.secret.to_nonzero_scalar();
        Ok(SharedSecret::from(point.to_affine().x().as_slice()))
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::secp521r1
    }
}
