//! Record data between text and wire form, for every type.
