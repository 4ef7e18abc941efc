//! Which Ingresses are ours: namespace scope and class (routing §1.1, §1.2).

use std::collections::BTreeSet;

use crate::{
    objects::{Ingress, Key, Objects},
    options::{NamespaceScope, Options},
};

/// The annotation that named the class before there was a field.
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";

/// Names of the IngressClasses that are ours.
pub fn own_classes(options: &Options, objects: &Objects) -> BTreeSet<String> {
    let is_own = |name: &str, controller: Option<&str>| {
        controller == Some(&options.controller_class)
            || options.ingress_class_by_name && name == options.ingress_class
    };
    let classes = objects.ingress_classes().iter();
    let own = classes.filter(|(key, class)| {
        let controller = class.spec.as_ref().and_then(|spec| spec.controller.as_deref());
        is_own(key.name(), controller)
    });
    own.map(|(key, _)| key.name().to_owned()).collect()
}

/// Whether an Ingress has our class. The annotation only counts where the field is not set.
pub fn is_own(options: &Options, own_classes: &BTreeSet<String>, ingress: &Ingress) -> bool {
    if let Some(class) = ingress.class.as_ref().filter(|_| !options.ignore_ingress_class_name) {
        return own_classes.contains(&**class);
    }
    match ingress.annotation(CLASS_ANNOTATION) {
        Some(class) => *class == options.ingress_class,
        None => options.watch_ingress_without_class,
    }
}

/// Whether the Ingresses of a namespace count.
pub fn is_in_scope(options: &Options, objects: &Objects, key: &Key) -> bool {
    match &options.namespaces {
        NamespaceScope::All => true,
        NamespaceScope::One(namespace) => key.namespace() == namespace,
        NamespaceScope::Labelled(selector) => objects
            .namespace(key.namespace())
            .is_some_and(|namespace| selector.matches(namespace.metadata.labels.as_ref())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of routing §1.2.
    #[test]
    fn field_then_annotation_then_flag() {
        let own_classes = BTreeSet::from(["own".to_owned()]);
        for (field, annotation, without_class, expected) in [
            (Some("own"), Some("other"), false, true),
            (Some("own"), None, true, true),
            (Some("foreign"), Some("nginx"), true, false),
            (None, Some("nginx"), false, true),
            (None, Some("other"), true, false),
            (None, Some(""), true, false),
            (None, None, false, false),
            (None, None, true, true),
        ] {
            let options =
                Options { watch_ingress_without_class: without_class, ..Options::default() };
            let annotation = annotation.map(|class| (CLASS_ANNOTATION.into(), class.into()));
            let ingress = Ingress {
                class: field.map(Into::into),
                annotations: annotation.into_iter().collect(),
                ..Ingress::default()
            };
            let case = (field, ingress.annotation(CLASS_ANNOTATION), without_class);
            assert_eq!(is_own(&options, &own_classes, &ingress), expected, "{case:?}");
        }
    }

    #[test]
    fn the_field_means_nothing_where_classes_may_not_be_read() {
        let options = Options { ignore_ingress_class_name: true, ..Options::default() };
        let ingress = |annotation: Option<&str>| Ingress {
            class: Some("own".into()),
            annotations: annotation
                .map(|class| (CLASS_ANNOTATION.into(), class.into()))
                .into_iter()
                .collect(),
            ..Ingress::default()
        };
        let own_classes = BTreeSet::from(["own".to_owned()]);
        assert!(!is_own(&options, &own_classes, &ingress(None)));
        assert!(is_own(&options, &own_classes, &ingress(Some("nginx"))));
    }
}
