use k8s_openapi::api::{core::v1::ConfigMap, networking::v1::Ingress};
use serde_json::{Value, from_value, json};

use super::*;
use crate::objects::Object;

const NOW: i64 = 1_800_000_000;

/// A cluster with what the translation is supposed to have found in it.
struct Scene {
    objects: Objects,
    metas: HashMap<(Kind, Key), Meta>,
    verdicts: Vec<Verdict>,
    served: BTreeSet<Key>,
    reporter: Reporter,
    queue: Arc<Queue>,
}

impl Known for (&Objects, &HashMap<(Kind, Key), Meta>) {
    fn meta(&self, kind: Kind, key: &Key) -> Option<&Meta> {
        self.1.get(&(kind, key.clone()))
    }

    fn objects(&self) -> &Objects {
        self.0
    }
}

fn map() -> Key {
    Key::new("ingress", "config")
}

fn verdict(name: &str, effect: Effect, reason: &str) -> Verdict {
    let object = Kind::Ingress.reference(&Key::new("a", name));
    Verdict { object, effect, reason: reason.into(), message: "because".into() }
}

impl Scene {
    fn new() -> Self {
        let queue = Arc::<Queue>::default();
        Self {
            objects: Objects::default(),
            metas: HashMap::new(),
            verdicts: Vec::new(),
            served: BTreeSet::new(),
            reporter: Reporter::new(Arc::clone(&queue), Some(map())),
            queue,
        }
    }

    /// Past the start, with nothing there.
    fn started() -> Self {
        let mut scene = Self::new();
        assert!(scene.report(&[]).is_empty());
        scene
    }

    fn ingress(&mut self, name: &str, class: &str, created: i64) -> Key {
        let ingress: Ingress = from_value(json!({"metadata": {"name": name, "namespace": "a"},
            "spec": {"ingressClassName": class}}))
        .unwrap();
        let object = Object::from(Ingress {
            metadata: k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                creation_timestamp: Some(time(created)),
                ..ingress.metadata
            },
            ..ingress
        });
        self.objects.apply(&object);
        let key = object.key().clone();
        let meta = Meta { uid: name.into(), created, edited: created, ..Meta::default() };
        self.metas.insert((Kind::Ingress, key.clone()), meta);
        self.served.insert(key.clone());
        key
    }

    fn config(&mut self, data: &Value, created: i64) {
        let metadata = json!({"name": "config", "namespace": "ingress"});
        let map: ConfigMap = from_value(json!({"metadata": metadata, "data": data})).unwrap();
        let object = Object::from(map);
        self.objects.apply(&object);
        let meta = Meta { uid: "c".into(), created, edited: created, ..Meta::default() };
        self.metas.insert((Kind::ConfigMap, object.key().clone()), meta);
    }

    /// What is said after a look at these, as `type reason name`.
    fn report(&mut self, looked_at: &[&Key]) -> Vec<String> {
        self.report_new(looked_at, &[])
    }

    fn report_new(&mut self, looked_at: &[&Key], new: &[Verdict]) -> Vec<String> {
        self.verdicts.sort();
        let ingresses: BTreeSet<_> = looked_at.iter().map(|key| (*key).clone()).collect();
        let served = &self.served;
        let news = News {
            ingresses: &ingresses,
            new,
            all: &self.verdicts,
            is_served: &|key| served.contains(key),
        };
        self.reporter.report(news, &(&self.objects, &self.metas), NOW);
        let mut said = Vec::new();
        while let Some(draft) = self.queue.pop() {
            said.push(format!("{:?} {} {}", draft.weight, draft.reason, draft.object.name));
        }
        said
    }
}

fn time(seconds: i64) -> k8s_openapi::apimachinery::pkg::apis::meta::v1::Time {
    k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(
        k8s_openapi::jiff::Timestamp::from_second(seconds).unwrap(),
    )
}

#[test]
fn each_accepted_version_is_reported_once() {
    let mut scene = Scene::started();
    let key = scene.ingress("i", "nginx", NOW);
    assert_eq!(scene.report(&[&key]), ["Normal Sync i"]);
    assert!(scene.report(&[&key]).is_empty(), "looked at again for another reason");
    scene.ingress("i", "other", NOW);
    assert_eq!(scene.report(&[&key]), ["Normal Sync i"]);
}

#[test]
fn a_class_that_becomes_ours_is_reported() {
    let mut scene = Scene::started();
    let key = scene.ingress("i", "nginx", NOW);
    scene.served.clear();
    assert!(scene.report(&[&key]).is_empty());
    scene.served.insert(key.clone());
    assert_eq!(scene.report(&[&key]), ["Normal Sync i"]);
    scene.served.clear();
    scene.report(&[&key]);
    scene.served.insert(key.clone());
    assert_eq!(scene.report(&[&key]), ["Normal Sync i"]);
}

#[test]
fn a_refused_update_is_no_sync_though_the_version_before_it_is_served() {
    let mut scene = Scene::started();
    let key = scene.ingress("i", "nginx", NOW);
    scene.report(&[&key]);
    scene.ingress("i", "other", NOW);
    let refused = verdict("i", Effect::Refused, "InvalidAnnotation");
    scene.verdicts.push(refused.clone());
    assert_eq!(scene.report_new(&[&key], &[refused]), ["Warning InvalidAnnotation i"]);
}

#[test]
fn an_old_finding_about_a_new_version_is_reported() {
    let mut scene = Scene::started();
    let key = scene.ingress("i", "nginx", NOW);
    let denied = verdict("i", Effect::Denied, "AnnotationParsingFailed");
    scene.verdicts.push(denied.clone());
    scene.verdicts.push(verdict("h", Effect::Warning, "NotThisOne"));
    scene.verdicts.push(verdict("j", Effect::Warning, "NorThisOne"));
    let both = ["Warning AnnotationParsingFailed i", "Normal Sync i"];
    assert_eq!(scene.report_new(&[&key], &[denied]), both);
    assert!(scene.report(&[&key]).is_empty());
    scene.ingress("i", "other", NOW);
    assert_eq!(scene.report(&[&key]), both);
}

#[test]
fn findings_about_other_objects_are_reported() {
    let mut scene = Scene::started();
    let object = Kind::Service.reference(&Key::new("a", "s"));
    let (effect, message) = (Effect::Warning, "gone".into());
    let missing = Verdict { object, effect, reason: "ServiceNotFound".into(), message };
    assert_eq!(scene.report_new(&[], &[missing]), ["Warning ServiceNotFound s"]);
}

#[test]
fn at_the_start_only_what_is_young_is_new() {
    let mut scene = Scene::new();
    let old = scene.ingress("old", "nginx", NOW - 3600);
    let young = scene.ingress("young", "nginx", NOW - 3599);
    scene.config(&json!({}), NOW - 3600);
    let denied = verdict("old", Effect::Denied, "AnnotationParsingFailed");
    scene.verdicts.push(denied.clone());
    assert_eq!(
        scene.report_new(&[&old, &young], &[denied]),
        ["Warning AnnotationParsingFailed old", "Normal Sync young"]
    );
    scene.ingress("old", "other", NOW - 3600);
    assert_eq!(scene.report(&[&old]), ["Warning AnnotationParsingFailed old", "Normal Sync old"]);
}

#[test]
fn the_config_map_is_reported_when_it_appears_and_when_it_changes() {
    let mut scene = Scene::started();
    scene.config(&json!({}), NOW);
    assert_eq!(scene.report(&[]), ["Normal CREATE config"]);
    assert!(scene.report(&[]).is_empty());
    scene.config(&json!({"hsts": "false"}), NOW);
    assert_eq!(scene.report(&[]), ["Normal UPDATE config"]);
    scene.objects.remove(Kind::ConfigMap, &map());
    assert!(scene.report(&[]).is_empty());
}

#[test]
fn the_reference_has_words_for_what_is_denied() {
    let denied = verdict("i", Effect::Denied, "AnnotationParsingFailed");
    assert_eq!(message(&denied), "Error parsing annotations: because");
    assert_eq!(message(&verdict("i", Effect::Refused, "Other")), "because");
}

#[test]
fn what_turns_out_to_be_wrong_while_it_is_served_is_said_each_time_that_it_begins() {
    let mut scene = Scene::started();
    scene.ingress("one", "nginx", NOW);
    let mut tell = |conditions: &[Verdict]| {
        let known = (&scene.objects, &scene.metas);
        scene.reporter.report_conditions(conditions.to_vec(), &known);
        let said = std::iter::from_fn(|| scene.queue.pop());
        said.map(|draft| (draft.object.name, draft.reason, draft.meta.uid)).collect::<Vec<_>>()
    };
    let keys = verdict("one", Effect::Denied, "JwtKeysUnavailable");
    let said = ("one".to_owned(), "JwtKeysUnavailable".to_owned(), "one".into());
    assert_eq!(tell(std::slice::from_ref(&keys)), std::slice::from_ref(&said));
    assert_eq!(tell(std::slice::from_ref(&keys)), [], "it still is");
    assert_eq!(tell(&[]), []);
    assert_eq!(tell(&[keys]), [said]);
}
