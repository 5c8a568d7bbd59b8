//! Octets of a query to what they ask.
