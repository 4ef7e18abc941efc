//! Images, as far as there are any: which of the host's files a container sees, and what it runs.

use std::{collections::BTreeMap, path::PathBuf};

use crate::programs::Programs;

/// What stands for a container image. Shared libraries are there in every container; nothing else is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Image {
    /// Files in the container, by absolute path, with the host's file.
    pub files: BTreeMap<String, PathBuf>,
    /// The command, unless the pod names one; the pod's `args` follow it.
    pub entrypoint: Vec<String>,
    /// User and group that it runs as, unless the pod says so.
    pub user: u32,
}

impl Image {
    /// An image with one program at `/NAME`, which is also what it runs, as an ordinary user.
    pub fn of_program(name: &str, program: PathBuf) -> Self {
        let path = format!("/{name}");
        Self {
            files: BTreeMap::from([(path.clone(), program)]),
            entrypoint: vec![path],
            user: 65532,
        }
    }

    /// The images that this repository builds.
    pub(crate) fn known(programs: &Programs) -> BTreeMap<String, Self> {
        BTreeMap::from([
            ("headgate/backends".into(), Self::of_program("backends", programs.backends.clone())),
            ("headgate/headgate".into(), Self::of_program("headgate", programs.headgate.clone())),
        ])
    }
}

/// An image's name without tag and digest, under which it is known.
pub(crate) fn name_of(reference: &str) -> &str {
    let name = reference.split('@').next().unwrap_or(reference);
    // A colon before the last slash belongs to a registry's port.
    match name.rsplit_once(':') {
        Some((before, tag)) if !tag.contains('/') => before,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::name_of;

    #[test]
    fn tags_and_digests_are_no_part_of_the_name() {
        for reference in [
            "headgate/backends",
            "headgate/backends:0.1.0",
            "headgate/backends@sha256:12",
            "headgate/backends:1@sha256:12",
        ] {
            assert_eq!(name_of(reference), "headgate/backends");
        }
        assert_eq!(name_of("localhost:5000/backends"), "localhost:5000/backends");
    }
}
