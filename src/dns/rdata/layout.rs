//! Which fields the data of each type have: the one table that reading, printing, checking and lower-casing share.

use crate::dns::rtype::number as t;

/// One field: what error messages call it, and what it is.
#[derive(Clone, Copy, Debug)]
pub struct Field(pub &'static str, pub Kind);

/// What a field is, in text and in octets. A kind that says "rest" is the last of its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A name that is signed in lower case (RFC 4034 § 6.2 as updated by RFC 6840 § 5.1).
    Name,
    /// A name whose case is kept.
    NameKept,
    /// Names whose case is kept, any number; rest.
    NamesKept,
    /// Number of 8 bits.
    U8,
    /// Number of 16 bits.
    U16,
    /// Number of 32 bits.
    U32,
    /// Seconds in 32 bits, with units allowed (`1h`).
    Period,
    /// Moment of RRSIG (RFC 4034 § 3.2).
    Time,
    /// A type by mnemonic.
    Type,
    /// A DNSSEC algorithm, by number or mnemonic (RFC 4034 § A.1).
    Algorithm,
    /// A certificate type, by number or mnemonic (RFC 4398 § 2.1).
    CertType,
    /// A DSYNC scheme, by number or `NOTIFY` (RFC 9859 § 2).
    Scheme,
    /// IPv4 address.
    Ipv4,
    /// IPv6 address.
    Ipv6,
    /// Character string (RFC 1035 § 3.3).
    Str,
    /// Character string that may be absent; rest.
    StrOptional,
    /// One or more character strings; rest.
    Strs,
    /// Letters and digits with a length octet, not empty: a CAA tag (RFC 8659 § 4.1).
    Tag,
    /// Text without a length octet, of at least so many octets; rest.
    Text(usize),
    /// Base64 of at least so many octets; rest.
    Base64(usize),
    /// An octet that names a digest, and the digest in hex, whose length it may fix; rest.
    Digest(&'static [(u8, usize)]),
    /// Salt of NSEC3: length octet; hex, or `-` for none (RFC 5155 § 3.3).
    Salt,
    /// Hashed owner of NSEC3: length octet; base32hex (RFC 5155 § 3.3).
    HashedOwner,
    /// Type bitmap (RFC 4034 § 4.1.2); rest.
    Bitmap,
    /// 64 bits as four groups of hex (RFC 6742).
    Locator64,
    /// So many octets as hex pairs with dashes (RFC 7043).
    Eui(usize),
    /// NSAP address: `0x` and hex with dots anywhere (RFC 1706); rest.
    Nsap,
    /// Gateway type, algorithm and gateway of IPSECKEY (RFC 4025 § 2).
    Gateway,
    /// Algorithm, tag and key of HIP, whose lengths come first (RFC 8005 § 5).
    Hip,
    /// Location (RFC 1876 § 2).
    Location,
    /// Address prefixes (RFC 3123 § 4); rest.
    Prefixes,
    /// Parameters of SVCB and HTTPS (RFC 9460 § 2.2); rest.
    Params,
}

const DS_DIGESTS: &[(u8, usize)] = &[(1, 20), (2, 32), (4, 48)];
const TLSA_DIGESTS: &[(u8, usize)] = &[(1, 32), (2, 64)];
const SSHFP_DIGESTS: &[(u8, usize)] = &[(1, 20), (2, 32)];
const ZONEMD_DIGESTS: &[(u8, usize)] = &[(1, 48), (2, 64)];

const ONE_NAME: &[Field] = &[Field("name", Kind::Name)];
const STRINGS: &[Field] = &[Field("text", Kind::Strs)];
const PREFERENCE_NAME: &[Field] = &[Field("preference", Kind::U16), Field("host", Kind::Name)];
const DELEGATION: &[Field] = &[
    Field("key tag", Kind::U16),
    Field("algorithm", Kind::Algorithm),
    Field("digest type and digest", Kind::Digest(DS_DIGESTS)),
];
const PUBLIC_KEY: &[Field] = &[
    Field("flags", Kind::U16),
    Field("protocol", Kind::U8),
    Field("algorithm", Kind::Algorithm),
    Field("public key", Kind::Base64(1)),
];
const SIGNATURE: &[Field] = &[
    Field("type covered", Kind::Type),
    Field("algorithm", Kind::Algorithm),
    Field("labels", Kind::U8),
    Field("original TTL", Kind::Period),
    Field("expiration", Kind::Time),
    Field("inception", Kind::Time),
    Field("key tag", Kind::U16),
    Field("signer", Kind::Name),
    Field("signature", Kind::Base64(1)),
];
const ASSOCIATION: &[Field] = &[
    Field("usage", Kind::U8),
    Field("selector", Kind::U8),
    Field("matching type and data", Kind::Digest(TLSA_DIGESTS)),
];
const SERVICE: &[Field] =
    &[Field("priority", Kind::U16), Field("target", Kind::NameKept), Field("parameters", Kind::Params)];
const LOCATOR64: &[Field] = &[Field("preference", Kind::U16), Field("locator", Kind::Locator64)];

/// The fields of a type's data; none where only the form of RFC 3597 is known.
pub fn fields(rtype: u16) -> Option<&'static [Field]> {
    Some(match rtype {
        t::A => &[Field("address", Kind::Ipv4)],
        t::AAAA => &[Field("address", Kind::Ipv6)],
        t::NS | t::MD | t::MF | t::CNAME | t::MB | t::MG | t::MR | t::PTR | t::DNAME => ONE_NAME,
        t::MX | t::AFSDB | t::RT | t::KX => PREFERENCE_NAME,
        t::TXT | t::SPF | t::AVC | t::RESINFO | t::NINFO | t::WALLET | t::CLA => STRINGS,
        t::DS | t::CDS | t::DLV | t::TA => DELEGATION,
        t::DNSKEY | t::CDNSKEY | t::RKEY => PUBLIC_KEY,
        t::RRSIG | t::SIG => SIGNATURE,
        t::TLSA | t::SMIMEA => ASSOCIATION,
        t::SVCB | t::HTTPS => SERVICE,
        t::NID | t::L64 => LOCATOR64,
        _ => return mail_and_hosts(rtype).or_else(|| keys_and_denial(rtype)),
    })
}

fn mail_and_hosts(rtype: u16) -> Option<&'static [Field]> {
    Some(match rtype {
        t::SOA => &[
            Field("primary server", Kind::Name),
            Field("mailbox", Kind::Name),
            Field("serial", Kind::U32),
            Field("refresh", Kind::Period),
            Field("retry", Kind::Period),
            Field("expire", Kind::Period),
            Field("minimum", Kind::Period),
        ],
        t::HINFO => &[Field("CPU", Kind::Str), Field("system", Kind::Str)],
        t::MINFO | t::RP => &[Field("mailbox", Kind::Name), Field("second name", Kind::Name)],
        t::X25 => &[Field("address", Kind::Str)],
        t::ISDN => &[Field("address", Kind::Str), Field("subaddress", Kind::StrOptional)],
        t::NSAP => &[Field("address", Kind::Nsap)],
        t::PX => &[Field("preference", Kind::U16), Field("MAP822", Kind::Name), Field("MAPX400", Kind::Name)],
        t::GPOS => &[Field("longitude", Kind::Str), Field("latitude", Kind::Str), Field("altitude", Kind::Str)],
        t::LOC => &[Field("location", Kind::Location)],
        t::SRV => &[
            Field("priority", Kind::U16),
            Field("weight", Kind::U16),
            Field("port", Kind::U16),
            Field("target", Kind::Name),
        ],
        t::NAPTR => &[
            Field("order", Kind::U16),
            Field("preference", Kind::U16),
            Field("flags", Kind::Str),
            Field("services", Kind::Str),
            Field("regexp", Kind::Str),
            Field("replacement", Kind::Name),
        ],
        t::APL => &[Field("prefixes", Kind::Prefixes)],
        t::TALINK => &[Field("previous", Kind::NameKept), Field("next", Kind::NameKept)],
        t::L32 => &[Field("preference", Kind::U16), Field("locator", Kind::Ipv4)],
        t::LP => &[Field("preference", Kind::U16), Field("name", Kind::NameKept)],
        t::EUI48 => &[Field("address", Kind::Eui(6))],
        t::EUI64 => &[Field("address", Kind::Eui(8))],
        t::URI => &[Field("priority", Kind::U16), Field("weight", Kind::U16), Field("target", Kind::Text(1))],
        t::CAA => &[Field("flags", Kind::U8), Field("tag", Kind::Tag), Field("value", Kind::Text(0))],
        _ => return None,
    })
}

fn keys_and_denial(rtype: u16) -> Option<&'static [Field]> {
    Some(match rtype {
        // RFC 2535 § 3.1.2: a KEY may say that there is no key.
        t::KEY => &[
            Field("flags", Kind::U16),
            Field("protocol", Kind::U8),
            Field("algorithm", Kind::Algorithm),
            Field("public key", Kind::Base64(0)),
        ],
        t::CERT => &[
            Field("certificate type", Kind::CertType),
            Field("key tag", Kind::U16),
            Field("algorithm", Kind::Algorithm),
            Field("certificate", Kind::Base64(1)),
        ],
        t::SSHFP => {
            &[Field("algorithm", Kind::U8), Field("fingerprint type and fingerprint", Kind::Digest(SSHFP_DIGESTS))]
        }
        t::IPSECKEY => &[
            Field("precedence", Kind::U8),
            Field("gateway type, algorithm and gateway", Kind::Gateway),
            Field("public key", Kind::Base64(0)),
        ],
        t::NSEC => &[Field("next name", Kind::NameKept), Field("types", Kind::Bitmap)],
        t::DHCID => &[Field("identity", Kind::Base64(1))],
        t::NSEC3 => &[
            Field("hash algorithm", Kind::U8),
            Field("flags", Kind::U8),
            Field("iterations", Kind::U16),
            Field("salt", Kind::Salt),
            Field("next hashed owner", Kind::HashedOwner),
            Field("types", Kind::Bitmap),
        ],
        t::NSEC3PARAM => &[
            Field("hash algorithm", Kind::U8),
            Field("flags", Kind::U8),
            Field("iterations", Kind::U16),
            Field("salt", Kind::Salt),
        ],
        t::HIP => {
            &[Field("algorithm, host identity tag and key", Kind::Hip), Field("rendezvous servers", Kind::NamesKept)]
        }
        t::OPENPGPKEY => &[Field("key", Kind::Base64(1))],
        t::CSYNC => &[Field("serial", Kind::U32), Field("flags", Kind::U16), Field("types", Kind::Bitmap)],
        t::ZONEMD => &[
            Field("serial", Kind::U32),
            Field("scheme", Kind::U8),
            Field("hash algorithm and digest", Kind::Digest(ZONEMD_DIGESTS)),
        ],
        t::DSYNC => &[
            Field("type", Kind::Type),
            Field("scheme", Kind::Scheme),
            Field("port", Kind::U16),
            Field("target", Kind::NameKept),
        ],
        _ => return None,
    })
}
