//! An answer to the octets of a reply.
