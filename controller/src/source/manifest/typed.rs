//! Reading an object whose kind is known, and who it is if it cannot be read.

use headgate_config::ObjectRef;
use k8s_openapi::{
    api::{
        core::v1::{ConfigMap, Namespace, Secret, Service},
        discovery::v1::EndpointSlice,
        networking::v1::{Ingress, IngressClass},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use serde::{Deserialize, de::DeserializeOwned};

use super::{Problem, secret, text::from_text};
use crate::objects::{Key, Kind, Object};

/// Namespace of objects that name none.
const DEFAULT_NAMESPACE: &str = "default";

/// Where an object is read from.
#[derive(Clone, Copy)]
pub enum Parse<'a> {
    /// A document.
    Text(&'a str),
    /// An item of a list.
    Value(&'a serde_json::Value),
}

impl Parse<'_> {
    /// Reads an object of this kind.
    pub fn typed(self, kind: Kind) -> Result<Object, Problem> {
        Ok(match kind {
            Kind::IngressClass => self.read::<IngressClass>()?.into(),
            Kind::Ingress => self.read::<Ingress>()?.into(),
            Kind::Service => self.read::<Service>()?.into(),
            Kind::EndpointSlice => self.read::<EndpointSlice>()?.into(),
            Kind::Secret => self.read_secret()?.into(),
            Kind::ConfigMap => self.read::<ConfigMap>()?.into(),
            Kind::Namespace => self.read::<Namespace>()?.into(),
        })
    }

    fn read<T: DeserializeOwned + Metadata>(self) -> Result<T, Problem> {
        complete(self.parse()?)
    }

    fn read_secret(self) -> Result<Secret, Problem> {
        complete(self.parse().map_err(|found| secret::problem(found, self))?)
    }

    /// Reads anything. The reason of a problem may quote what is read.
    pub fn parse<T: DeserializeOwned>(self) -> Result<T, Problem> {
        match self {
            Self::Text(document) => from_text(document),
            Self::Value(value) => {
                T::deserialize(value).map_err(|error| Problem::new(error.to_string()))
            }
        }
    }
}

/// The object with a namespace, if its kind has one.
fn complete<T: Metadata>(mut object: T) -> Result<T, Problem> {
    let metadata = object.metadata_mut();
    if metadata.name.as_deref().unwrap_or("").is_empty() {
        return Err(Problem::new("metadata.name is missing"));
    }
    if T::NAMESPACED {
        metadata.namespace.get_or_insert_with(|| DEFAULT_NAMESPACE.into());
    } else {
        metadata.namespace = None;
    }
    Ok(object)
}

/// Access to the metadata of the kinds that are read.
trait Metadata {
    const NAMESPACED: bool;
    fn metadata_mut(&mut self) -> &mut ObjectMeta;
}

macro_rules! metadata {
    ($($kind:ty => $namespaced:literal),*) => {$(
        impl Metadata for $kind {
            const NAMESPACED: bool = $namespaced;
            fn metadata_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }
        }
    )*};
}

metadata!(IngressClass => false, Ingress => true, Service => true, EndpointSlice => true, Secret => true, ConfigMap => true, Namespace => false);

/// As much of an object as says who it is.
#[derive(Deserialize)]
struct Named {
    metadata: Name,
}

#[derive(Deserialize)]
struct Name {
    name: String,
    namespace: Option<String>,
}

impl Named {
    fn reference(self, kind: Kind) -> ObjectRef {
        let Name { name, namespace } = self.metadata;
        let namespace = namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
        let namespace = if kind.is_namespaced() { namespace } else { "" };
        kind.reference(&Key::new(namespace, &name))
    }
}

/// Who a document is about that cannot be read as a whole.
pub fn identity(document: &str, kind: Kind) -> Option<ObjectRef> {
    Some(from_text::<Named>(document).ok()?.reference(kind))
}

/// Who an object of a kind that is not read is about, if it says that.
pub fn identity_of_any(parse: Parse<'_>, kind: &str) -> Option<ObjectRef> {
    let Name { name, namespace } = parse.parse::<Named>().ok()?.metadata;
    Some(ObjectRef {
        kind: kind.into(),
        namespace: namespace.unwrap_or_else(|| DEFAULT_NAMESPACE.into()),
        name,
    })
}

/// Who an item of a list is about, also if its version is too old to be read.
pub fn identity_of_item(
    item: &serde_json::Value,
    api_version: &str,
    kind: &str,
) -> Option<ObjectRef> {
    let kind = match kind {
        "Ingress" => Kind::Ingress,
        "IngressClass" => Kind::IngressClass,
        other => Kind::of(api_version, other)?,
    };
    Some(Named::deserialize(item).ok()?.reference(kind))
}
