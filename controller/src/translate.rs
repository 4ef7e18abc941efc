//! Objects to Snapshot.
