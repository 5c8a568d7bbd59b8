//! A small DNS client that shares nothing with the server: questions out, replies in with every name written out.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

pub const A: u16 = 1;
pub const NS: u16 = 2;
pub const CNAME: u16 = 5;
pub const SOA: u16 = 6;
pub const MX: u16 = 15;
pub const TXT: u16 = 16;
pub const AAAA: u16 = 28;
pub const SRV: u16 = 33;
pub const DNAME: u16 = 39;
pub const OPT: u16 = 41;
pub const DS: u16 = 43;
pub const RRSIG: u16 = 46;
pub const NSEC: u16 = 47;
pub const DNSKEY: u16 = 48;
pub const TLSA: u16 = 52;
pub const CDS: u16 = 59;
pub const CDNSKEY: u16 = 60;
pub const HTTPS: u16 = 65;
pub const NXNAME: u16 = 128;
pub const ANY: u16 = 255;
pub const CAA: u16 = 257;

pub const NOERROR: u16 = 0;
pub const NXDOMAIN: u16 = 3;
pub const YXDOMAIN: u16 = 6;

/// One question and how it is asked.
#[derive(Clone, Debug)]
pub struct Ask {
    pub name: String,
    pub rtype: u16,
    pub recursion: bool,
    pub authentic: bool,
    pub checking_disabled: bool,
    /// UDP size; none: no OPT.
    pub size: Option<u16>,
    /// The flags of OPT: DO is 0x8000, CO 0x4000.
    pub flags: u16,
    pub tcp: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    /// Lower case, without the last dot.
    pub owner: String,
    pub rtype: u16,
    pub ttl: u32,
    /// Names in it are written out in lower case.
    pub data: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
pub struct Reply {
    pub id: u16,
    pub rcode: u16,
    pub aa: bool,
    pub tc: bool,
    pub ad: bool,
    pub answer: Vec<Record>,
    pub authority: Vec<Record>,
    pub additional: Vec<Record>,
    /// Flags of OPT, where there is one.
    pub opt: Option<u16>,
    pub octets: usize,
}

impl Ask {
    /// With DO, as a resolver asks.
    pub fn of(name: &str, rtype: u16) -> Ask {
        Ask {
            name: name.to_owned(),
            rtype,
            recursion: false,
            authentic: false,
            checking_disabled: false,
            size: Some(1232),
            flags: 0x8000,
            tcp: false,
        }
    }

    /// As a stub resolver asks one that validates.
    pub fn recursive(name: &str, rtype: u16) -> Ask {
        Ask { recursion: true, authentic: true, ..Ask::of(name, rtype) }
    }

    pub fn tcp(self) -> Ask {
        Ask { tcp: true, ..self }
    }

    pub fn flags(self, flags: u16) -> Ask {
        Ask { flags, ..self }
    }

    pub fn plain(self) -> Ask {
        Ask { size: None, ..self }
    }

    pub fn packet(&self, id: u16) -> Vec<u8> {
        let flags =
            u16::from(self.recursion) << 8 | u16::from(self.authentic) << 5 | u16::from(self.checking_disabled) << 4;
        let mut packet = Vec::new();
        for number in [id, flags, 1, 0, 0, u16::from(self.size.is_some())] {
            packet.extend(number.to_be_bytes());
        }
        packet.extend(wire_name(&self.name));
        packet.extend(self.rtype.to_be_bytes());
        packet.extend([0, 1]);
        if let Some(size) = self.size {
            packet.extend([0, 0, 41]);
            packet.extend(size.to_be_bytes());
            packet.extend([0, 0]);
            packet.extend(self.flags.to_be_bytes());
            packet.extend([0, 0]);
        }
        packet
    }

    /// Asks once; none where no reply came in time.
    pub fn once(&self, server: SocketAddr, patience: Duration) -> Option<Reply> {
        let id = u16::try_from(self.name.bytes().fold(self.rtype as usize, |a, b| (a * 31 + b as usize) & 0xffff));
        let packet = self.packet(id.unwrap());
        let octets = if self.tcp { by_tcp(server, &packet, patience) } else { by_udp(server, &packet, patience) }?;
        let reply = Reply::read(&octets).unwrap_or_else(|| panic!("{self:?}: a reply that cannot be read: {octets:?}"));
        assert_eq!(reply.id, u16::from_be_bytes([packet[0], packet[1]]));
        Some(reply)
    }

    /// Asks until a reply comes.
    pub fn send(&self, server: SocketAddr) -> Reply {
        let reply = (0..4).find_map(|_| self.once(server, Duration::from_secs(8)));
        reply.unwrap_or_else(|| panic!("{self:?}: no reply from {server}"))
    }
}

fn by_udp(server: SocketAddr, packet: &[u8], patience: Duration) -> Option<Vec<u8>> {
    let socket = UdpSocket::bind((server.ip(), 0)).ok()?;
    socket.set_read_timeout(Some(patience)).ok()?;
    socket.connect(server).ok()?;
    socket.send(packet).ok()?;
    let mut octets = vec![0; 65_535];
    let length = socket.recv(&mut octets).ok()?;
    octets.truncate(length);
    Some(octets)
}

fn by_tcp(server: SocketAddr, packet: &[u8], patience: Duration) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&server, patience).ok()?;
    stream.set_read_timeout(Some(patience)).ok()?;
    stream.write_all(&[&u16::try_from(packet.len()).ok()?.to_be_bytes()[..], packet].concat()).ok()?;
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut octets = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut octets).ok()?;
    Some(octets)
}

/// Plain labels only, and `\DDD`.
pub fn wire_name(text: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in text.split('.').filter(|label| !label.is_empty()) {
        let mut octets = Vec::new();
        let mut rest = label.as_bytes();
        while let Some((first, tail)) = rest.split_first() {
            rest = tail;
            if *first == b'\\' && tail.len() >= 3 {
                octets.push(std::str::from_utf8(&tail[..3]).unwrap().parse().unwrap());
                rest = &tail[3..];
            } else {
                octets.push(*first);
            }
        }
        wire.push(u8::try_from(octets.len()).unwrap());
        wire.extend(octets);
    }
    wire.push(0);
    wire
}

impl Reply {
    pub fn read(octets: &[u8]) -> Option<Reply> {
        let mut reader = Reader { octets, at: 0 };
        let (id, flags) = (reader.u16()?, reader.u16()?);
        let counts = [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
        for _ in 0..counts[0] {
            reader.name()?;
            reader.u16()?;
            reader.u16()?;
        }
        let mut reply = Reply {
            id,
            rcode: flags & 15,
            aa: flags & 0x0400 != 0,
            tc: flags & 0x0200 != 0,
            ad: flags & 0x0020 != 0,
            octets: octets.len(),
            ..Reply::default()
        };
        for (section, count) in
            [&mut reply.answer, &mut reply.authority, &mut reply.additional].into_iter().zip(&counts[1..])
        {
            for _ in 0..*count {
                section.push(reader.record()?);
            }
        }
        if let Some(at) = reply.additional.iter().position(|record| record.rtype == OPT) {
            let opt = reply.additional.remove(at);
            reply.rcode |= u16::try_from(opt.ttl >> 24).ok()? << 4;
            reply.opt = Some(u16::try_from(opt.ttl & 0xffff).ok()?);
        }
        (reader.at == octets.len()).then_some(reply)
    }

    pub fn all(&self) -> impl Iterator<Item = &Record> {
        self.answer.iter().chain(&self.authority).chain(&self.additional)
    }

    /// Whether the answer section has this type.
    pub fn has(&self, rtype: u16) -> bool {
        self.answer.iter().any(|record| record.rtype == rtype)
    }

    /// The types in the bitmap of the NSEC of `owner`.
    pub fn bitmap(&self, owner: &str) -> Option<BTreeSet<u16>> {
        let mut sections = self.answer.iter().chain(&self.authority);
        let nsec = sections.find(|record| record.rtype == NSEC && record.owner == owner)?;
        let mut rest = nsec.data.get(name_octets(&nsec.data)?..)?;
        let mut types = BTreeSet::new();
        while let [window, length, tail @ ..] = rest {
            let (bits, tail) = tail.split_at_checked(usize::from(*length))?;
            for (at, octet) in (0u16..).zip(bits) {
                types.extend(
                    (0..8).filter(|bit| octet & (0x80 >> bit) != 0).map(|bit| u16::from(*window) << 8 | (at * 8 + bit)),
                );
            }
            rest = tail;
        }
        Some(types)
    }

    /// The ends of all signatures, with type covered, owner and the TTL of the RRSIG.
    pub fn signatures(&self) -> Vec<(String, u16, u32, u32)> {
        let all = self.all().filter(|record| record.rtype == RRSIG);
        all.map(|record| {
            let covered = u16::from_be_bytes([record.data[0], record.data[1]]);
            let end = u32::from_be_bytes([record.data[8], record.data[9], record.data[10], record.data[11]]);
            (record.owner.clone(), covered, end, record.ttl)
        })
        .collect()
    }
}

fn name_octets(data: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match *data.get(at)? {
            0 => return Some(at + 1),
            length => at += 1 + usize::from(length),
        }
    }
}

struct Reader<'a> {
    octets: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let taken = self.octets.get(self.at..self.at + length)?;
        self.at += length;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2).map(|two| u16::from_be_bytes([two[0], two[1]]))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from(self.u16()?) << 16 | u32::from(self.u16()?))
    }

    /// A name in wire form, lower case, pointers followed.
    fn name(&mut self) -> Option<Vec<u8>> {
        let (mut name, mut jumps, mut back) = (Vec::new(), 0, None);
        loop {
            let length = self.take(1)?[0];
            match length {
                0 => break,
                1..64 => {
                    name.push(length);
                    name.extend(self.take(usize::from(length))?.to_ascii_lowercase());
                }
                192.. => {
                    let target = usize::from(length & 0x3f) << 8 | usize::from(self.take(1)?[0]);
                    back = back.or(Some(self.at));
                    jumps += 1;
                    if jumps > 64 {
                        return None;
                    }
                    self.at = target;
                }
                _ => return None,
            }
        }
        name.push(0);
        self.at = back.unwrap_or(self.at);
        Some(name)
    }

    fn record(&mut self) -> Option<Record> {
        let owner = print_name(&self.name()?);
        let (rtype, _class, ttl) = (self.u16()?, self.u16()?, self.u32()?);
        let length = usize::from(self.u16()?);
        let end = self.at + length;
        let mut data = Vec::new();
        match rtype {
            NS | CNAME | DNAME | 12 => data.extend(self.name()?),
            SOA => {
                data.extend(self.name()?);
                data.extend(self.name()?);
            }
            MX => {
                data.extend(self.take(2)?);
                data.extend(self.name()?);
            }
            SRV => {
                data.extend(self.take(6)?);
                data.extend(self.name()?);
            }
            _ => {}
        }
        data.extend(self.take(end.checked_sub(self.at)?)?);
        Some(Record { owner, rtype, ttl, data })
    }
}

/// Without the last dot; what is not plain as `\DDD`.
pub fn print_name(wire: &[u8]) -> String {
    let (mut text, mut rest) = (String::new(), wire);
    while let Some((length, tail)) = rest.split_first().filter(|(length, _)| **length > 0) {
        let (label, tail) = tail.split_at(usize::from(*length));
        if !text.is_empty() {
            text.push('.');
        }
        for octet in label {
            match octet {
                b'.' | b'\\' | 0..=32 | 127.. => text.push_str(&format!("\\{octet:03}")),
                _ => text.push(char::from(*octet)),
            }
        }
        rest = tail;
    }
    text
}
