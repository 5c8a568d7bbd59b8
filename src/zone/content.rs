//! What a master file holds, by name.
