//! Which Ingresses are ours: namespace scope and class (routing §1.1, §1.2).

use std::collections::{BTreeMap, BTreeSet};

use headgate_config::Effect;

use super::annotations::Finding;
use crate::{
    objects::{Ingress, Key, Objects},
    options::{NamespaceScope, Options},
};

/// The annotation that named the class before there was a field.
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";

/// The IngressClasses that exist.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Classes {
    /// Names of those that are ours.
    own: BTreeSet<String>,
    /// Names of the others, with their controllers.
    others: BTreeMap<String, String>,
}

impl Classes {
    /// Sorts out which are ours.
    pub fn of(options: &Options, objects: &Objects) -> Self {
        let mut classes = Self::default();
        for (key, class) in objects.ingress_classes() {
            let controller = class.spec.as_ref().and_then(|spec| spec.controller.as_deref());
            let is_own = controller == Some(&options.controller_class)
                || options.ingress_class_by_name && key.name() == options.ingress_class;
            if is_own {
                classes.own.insert(key.name().to_owned());
            } else {
                let controller = controller.unwrap_or_default().to_owned();
                classes.others.insert(key.name().to_owned(), controller);
            }
        }
        classes
    }

    /// Ours, for a message.
    fn listed(&self, options: &Options) -> String {
        let own: Vec<_> = self.own.iter().map(String::as_str).collect();
        let own = if own.is_empty() { "none".to_owned() } else { own.join(", ") };
        format!("controller {} has: {own}", options.controller_class)
    }
}

/// Whether an Ingress has our class. The annotation only counts where the field is not set.
pub fn is_own(options: &Options, classes: &Classes, ingress: &Ingress) -> bool {
    if let Some(class) = ingress.class.as_ref().filter(|_| !options.ignore_ingress_class_name) {
        return classes.own.contains(&**class);
    }
    match ingress.annotation(CLASS_ANNOTATION) {
        Some(class) => *class == options.ingress_class,
        None => options.watch_ingress_without_class,
    }
}

/// What is to be said about an Ingress that does not have our class. Where there are other controllers, only a class
/// that does not exist is worth a word: nobody serves that.
pub fn why_ignored(options: &Options, classes: &Classes, ingress: &Ingress) -> Option<Finding> {
    let ignored =
        |message| Some(Finding { effect: Effect::Ignored, reason: "IngressClassNotOurs", message });
    let own = classes.listed(options);
    if let Some(class) = ingress.class.as_ref().filter(|_| !options.ignore_ingress_class_name) {
        return match classes.others.get(&**class) {
            None => ignored(format!(
                "spec.ingressClassName names class {class:?}, of which there is no IngressClass ({own}); not served"
            )),
            Some(controller) if options.is_only_controller => ignored(format!(
                "spec.ingressClassName names class {class:?} of the controller {controller:?} ({own}); not served"
            )),
            Some(_) => None,
        };
    }
    if !options.is_only_controller {
        return None;
    }
    match ingress.annotation(CLASS_ANNOTATION) {
        Some(class) => ignored(format!(
            "{CLASS_ANNOTATION} names class {class:?}, and --ingress-class is {:?}; not served",
            options.ingress_class
        )),
        None => ignored(format!(
            "names no class: set spec.ingressClassName ({own}) or start with --watch-ingress-without-class; not served"
        )),
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
        let classes = Classes { own: ["own".to_owned()].into(), ..Classes::default() };
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
            assert_eq!(is_own(&options, &classes, &ingress), expected, "{case:?}");
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
        let classes = Classes { own: ["own".to_owned()].into(), ..Classes::default() };
        assert!(!is_own(&options, &classes, &ingress(None)));
        assert!(is_own(&options, &classes, &ingress(Some("nginx"))));
    }
}
