//! Where objects come from. A source fills [`Objects`](crate::objects::Objects) and says when they changed; it leaves
//! their meaning to [`translate`](crate::translate).

pub mod cluster;
pub mod directory;
mod manifest;
