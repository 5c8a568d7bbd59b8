//! A table by name that is cheap to copy with one change.
