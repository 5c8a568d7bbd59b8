//! mxseal: an authoritative DNS server that signs the mail-flow zones of a mail provider online.
//!
//! This page is the map. There is no code here.
//!
//! # Two planes that share one value
//! The **control plane** ([`control`]) watches files, decides, makes durable, and publishes a [`answer::Snapshot`]. The
//! **data plane** ([`serve`]) reads snapshots and answers. They meet in one slot that is swapped whole, and in counters;
//! neither calls the other.
//!
//! * A query's way: [`serve`] receives a batch → [`dns::query::parse`] → [`answer::respond`] { [`zone::Zone::find`] →
//!   [`sign`] or [`sign::denial`] } → [`dns::reply::write`] → [`serve`] sends the batch.
//! * A tenant's way: file event → [`feed::watch`] → [`zone::tenant`] parses → [`world`] decides → what must
//!   outlive a restart is durable → snapshot swapped → answered.
//! * A key's way: a life ends or a command comes → [`control::rolls`] hands over the facts → [`roll::zone::plan`] decides, and
//!   proves one step → its keys prove themselves, its fact is durable → snapshot swapped → seen on the wire and at the
//!   parent, which are facts for the next step.
//!
//! # Rooms
//! A room is a module of this page with all below it. It uses the rooms that its row names and no others, and each of them
//! has its row further down, so there is no circle. It is pure or a shell as a whole. Pure: values in, values out; no clock,
//! files, sockets, threads, chance or logs, so [`roll::zone::sim`] lives through years of what [`roll`] decides. Inside of
//! a room no two modules of one folder use each other. `tests/tidy.rs` reads this table and holds the code to it.
//!
//! | room | kind | uses |
//! |---|---|---|
//! | `main` | shell | [`cli`] |
//! | [`cli`] | shell | [`answer`], [`cert`], [`config`], [`control`], [`diagnostic`], [`dns`], [`http`], [`metrics`], [`observe`], [`probe`], [`process`], [`protocol`], [`render`], [`resolve`], [`roll`], [`serve`], [`sign`], [`store`], [`time`], [`world`], [`zone`] |
//! | [`http`] | shell | [`metrics`], [`process`] |
//! | [`control`] | shell | [`answer`], [`cert`], [`config`], [`diagnostic`], [`dns`], [`feed`], [`fields`], [`metrics`], [`observe`], [`probe`], [`process`], [`protocol`], [`report`], [`resolve`], [`roll`], [`sign`], [`store`], [`time`], [`world`], [`zone`] |
//! | [`feed`] | shell | [`diagnostic`], [`metrics`], [`time`], [`world`] |
//! | [`store`] | shell | [`cert`], [`diagnostic`], [`dns`], [`process`], [`roll`], [`sign`], [`time`], [`world`] |
//! | [`observe`] | shell | [`config`], [`diagnostic`], [`dns`], [`process`], [`resolve`], [`sign`], [`time`] |
//! | [`resolve`] | shell | [`dns`], [`sign`], [`time`] |
//! | [`probe`] | shell | [`cert`], [`time`] |
//! | [`serve`] | shell | [`answer`], [`metrics`], [`process`], [`time`] |
//! | [`process`] | shell | [`time`] |
//! | [`report`] | pure | [`answer`], [`cert`], [`diagnostic`], [`dns`], [`metrics`], [`protocol`], [`roll`], [`sign`], [`time`], [`world`], [`zone`] |
//! | [`world`] | pure | [`answer`], [`cert`], [`config`], [`diagnostic`], [`dns`], [`fields`], [`metrics`], [`protocol`], [`roll`], [`sign`], [`time`], [`zone`] |
//! | [`roll`] | pure | [`cert`], [`sign`], [`time`] |
//! | [`cert`] | pure | [`time`] |
//! | [`metrics`] | pure | [`answer`], [`dns`], [`time`] |
//! | [`answer`] | pure | [`dns`], [`sign`], [`time`], [`zone`] |
//! | [`zone`] | pure | [`diagnostic`], [`dns`], [`fields`], [`sign`] |
//! | [`sign`] | pure | [`dns`], [`time`] |
//! | [`config`] | pure | [`diagnostic`], [`dns`], [`fields`], [`time`] |
//! | [`render`] | pure | [`diagnostic`] |
//! | [`fields`] | pure | [`diagnostic`] |
//! | [`diagnostic`] | pure | nothing |
//! | [`protocol`] | pure | nothing |
//! | [`dns`] | pure | nothing |
//! | [`time`] | pure | nothing |
//!
//! # What always holds
//! * Every answer of a signed zone validates, at every moment, for every resolver: signatures begin a day before they are
//!   made and are replaced days before they end; a kept signature is for one content, key and policy, and for no other.
//! * A type bitmap is made from the data that answers are made from, so no denial denies what exists.
//! * A key that is missing or not to be trusted stops its zone, and never makes another key.
//! * While keys roll, no mixture of what caches may hold and what is served is bogus: a step that would make one is not
//!   taken, whoever asks for it. What was not seen never counts as served or gone, and no timeout or clock that jumps
//!   stands for having seen it.
//! * Only files and people say which keys hosts have. What a look at a host shows stops a step or raises an alarm; it adds no
//!   key, and what hosts at tenants' own addresses show concerns nobody else.
//! * Each fact about keys is durable before anything follows from it; what goes on after a crash goes on from these.
//! * A broken file changes nothing but its own reason; what was good is served on, across restarts too.
//! * No lock is held and nothing is allocated on the way of a warm answer.
//! * Octets from the network never panic; if they do, it costs one answer.
//!
//! # Words
//! | word | meaning |
//! |---|---|
//! | zone | a DNS zone served here; signed unless the configuration says otherwise |
//! | parent zone | a zone that delegates to other zones served here |
//! | shard zone | a child zone that holds tenants |
//! | tenant | a customer domain, `contoso.com` |
//! | endpoint | a tenant's host name, `contoso-com.a-v1.mx.example`; its MX points at it |
//! | pool | a fleet of inbound hosts: addresses and certificates that many tenants share by reference |
//! | source | where documents come from, such as the folder of zones; it tells what changed when it is asked, in one form for all |
//! | snapshot | an immutable view of everything needed to answer, published whole |
//! | slot | the place of one kept signature |
//! | roll | the replacement of keys, or of their algorithm or layout, step by step; so is going insecure |
//! | item | what caches hold and rolls supersede: a DNSKEY RRset, a DS set, the signatures over data |
//! | standby | the next ZSK, published ahead so that it can sign at once |
//! | further key | one that signs beside a zone's first key, while keys roll; its signatures lie on its zone's shelf |
//! | window | from when until when a signature is valid |
//! | last good | what is served on although its file is broken now |
//! | held | a removal that waits for `mxseal reload --allow-shrink` |
//! | frozen | a zone with something about its keys in doubt: none is made in place of another, and none taken away, until that ends |
//! | silent | a zone that cannot be signed, or must not be: it gets SERVFAIL, and its parent keeps the DS of before |
//! | past | what the world may hold of a zone; it is kept beside the zones' folders, and outlives them |
//! | life | what the facts of one journal add up to: the keys of a zone, or the TLSA, addresses and keys of a pool |
//! | needs, known | what has to be read before a batch of documents can be taken in, and what was read |
//! | want | one thing that the world wants done before what it knows is served |
//! | basis | what served keys were made from: where it is other now, they are made anew |
//! | timer | a reason for the loop to wake without an event; the moment follows from what is known |
//! | turn of the loop | an event, if one came, and all that is due; each is done at one moment that is handed down |
//! | turn | the zone whose keys are replaced now; others whose keys reach their end at that time wait for theirs |
//! | way | tenants on their way from one pool to another, with facts of their own: TLSA of both pools first, then addresses |
//! | home | from where an endpoint was served, and whose it was; it is kept as long as caches may hold its records |
//! | apart | addresses that a tenant has of its own, with the TLSA of its pool |
//! | look | one time of asking from outside: our own addresses, the parent, a host |
//! | profile | how a sender asks a host: which kind of key it takes, and whether it names the host (SNI) |
//! | offer | what a host shows to one profile: a certificate with a key, or no STARTTLS |
//! | told | said to people or programs, by the wall clock; what decides goes by the signing clock |

pub mod answer;
pub mod cert;
pub mod cli;
pub mod config;
pub mod control;
pub mod diagnostic;
pub mod dns;
pub mod feed;
pub mod fields;
pub mod http;
pub mod metrics;
pub mod observe;
pub mod probe;
pub mod process;
pub mod protocol;
pub mod render;
pub mod report;
pub mod resolve;
pub mod roll;
pub mod serve;
pub mod sign;
pub mod store;
pub mod time;
pub mod world;
pub mod zone;
