//! What was read, as sorted maps.
