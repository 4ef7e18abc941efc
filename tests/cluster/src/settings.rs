//! What a test may choose about its cluster.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;
use k8s_openapi::api::core::v1::Node;
use serde_json::json;

use crate::{images::Image, programs::Programs};

/// Choices with defaults: one node, the images of this repository, ten minutes.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The nodes that pods are spread over.
    pub nodes: Vec<NodeSettings>,
    /// Further images by name without tag; they take the place of known ones.
    pub images: BTreeMap<String, Image>,
    /// After this time a test is ended.
    pub limit: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            nodes: vec![NodeSettings::new("node-1", "zone-1")],
            images: BTreeMap::new(),
            limit: Duration::from_secs(600),
        }
    }
}

impl Settings {
    /// Known images, those of the settings over those of the repository.
    pub(crate) fn images(&self, programs: &Programs) -> BTreeMap<String, Image> {
        let mut images = Image::known(programs);
        images.extend(self.images.clone());
        images
    }
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSettings {
    /// Name of the Node object.
    pub name: String,
    /// Value of the label `topology.kubernetes.io/zone`.
    pub zone: String,
}

impl NodeSettings {
    /// A node of this name in this zone.
    pub fn new(name: &str, zone: &str) -> Self {
        Self { name: name.into(), zone: zone.into() }
    }

    pub(crate) fn labels(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            ("kubernetes.io/hostname", self.name.clone()),
            ("kubernetes.io/os", "linux".into()),
            ("kubernetes.io/arch", "amd64".into()),
            ("topology.kubernetes.io/zone", self.zone.clone()),
        ])
    }

    pub(crate) fn object(&self) -> Result<Node> {
        Ok(serde_json::from_value(
            json!({"metadata": {"name": self.name, "labels": self.labels()}}),
        )?)
    }
}
