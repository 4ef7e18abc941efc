//! The snippets of the ConfigMap: `http-snippet`, `server-snippet`, `location-snippet`; and those that are refused.
//!
//! They may be what protects: where one of them is not understood, nothing is served without it.

use std::{collections::BTreeSet, sync::Arc};

use headgate_config::Effect;

use super::{Draft, Report, keys::Apply};
use crate::{
    objects::Key,
    options::Options,
    translate::snippet::{Block, Context, attach::GlobalSnippets, check_variables, compile},
};

pub const KEYS: &[(&str, Apply)] = &[
    ("global-auth-snippet", |draft, text| {
        draft.snippets.external = text.to_owned();
        Ok(())
    }),
    ("http-snippet", |draft, text| {
        draft.snippets.http = text.to_owned();
        Ok(())
    }),
    ("location-snippet", |draft, text| {
        draft.snippets.location = text.to_owned();
        Ok(())
    }),
    ("main-snippet", |draft, text| {
        draft.snippets.main = text.to_owned();
        Ok(())
    }),
    ("modsecurity-snippet", |draft, text| {
        draft.snippets.firewall = text.to_owned();
        Ok(())
    }),
    ("server-snippet", |draft, text| {
        draft.snippets.server = text.to_owned();
        Ok(())
    }),
    ("stream-snippet", |draft, text| {
        draft.snippets.stream = text.to_owned();
        Ok(())
    }),
];

/// The snippets as they are written.
#[derive(Clone, Debug, Default)]
pub struct SnippetTexts {
    /// `http-snippet`.
    pub http: String,
    /// `server-snippet`.
    pub server: String,
    /// `location-snippet`.
    pub location: String,
    /// `global-auth-snippet`.
    pub external: String,
    /// `main-snippet`.
    pub main: String,
    /// `modsecurity-snippet`.
    pub firewall: String,
    /// `stream-snippet`.
    pub stream: String,
    /// What they mean, once they are read.
    pub read: GlobalSnippets,
}

impl Draft {
    /// Reads the snippets. If one is not understood, all locations are denied.
    pub(super) fn read_snippets(&mut self, key: &Key, options: &Options, report: &mut Report) {
        let texts = std::mem::take(&mut self.snippets);
        texts.report_refused(report);
        let mut problems = Vec::new();
        // Without a service there is no question that it could be about.
        if !texts.external.trim().is_empty() && !self.global_auth.url.is_empty() {
            problems.push("global-auth-snippet cannot be honoured: say with the other keys global-auth-* what is asked".to_owned());
        }
        self.snippets.read = texts.read(options, report, &mut problems);
        if !problems.is_empty() {
            let problems = problems.join("; ");
            let message = format!("{problems}: all locations answer 503 rather than stand open");
            report.add(Effect::Denied, "InvalidValue", message);
            self.plain.denied = Some(format!("{problems} (ConfigMap {key})"));
        }
    }
}

impl SnippetTexts {
    /// Reports those that protect nothing, and are left out.
    fn report_refused(&self, report: &mut Report) {
        for (name, text, why) in [
            ("main-snippet", &self.main, "there is no nginx to configure"),
            ("modsecurity-snippet", &self.firewall, "there is no firewall to give rules to"),
            (
                "stream-snippet",
                &self.stream,
                "use the ConfigMaps of --tcp-services-configmap and --udp-services-configmap",
            ),
        ] {
            if !text.trim().is_empty() {
                let message = format!("{name} has no effect: {why}");
                report.add(Effect::Warning, "SnippetRefused", message);
            }
        }
    }

    /// What the others mean. What is not understood joins `problems`.
    fn read(
        &self,
        options: &Options,
        report: &mut Report,
        problems: &mut Vec<String>,
    ) -> GlobalSnippets {
        let mut read = |name, text: &str, context| {
            if text.trim().is_empty() {
                return None;
            }
            compile(text, context, options.pattern_check)
                .map(|block| (name, block))
                .map_err(|problem| problems.push(format!("{name}: {problem}")))
                .ok()
        };
        let http = read("http-snippet", &self.http, Context::Http);
        let server = read("server-snippet", &self.server, Context::Server);
        let location = read("location-snippet", &self.location, Context::Location);
        let all = || [&http, &server, &location].into_iter().flatten();
        let sets: BTreeSet<String> =
            all().flat_map(|(_, block)| block.sets.iter().cloned()).collect();
        for (name, block) in all() {
            if let Err(problem) = check_variables(block, &sets) {
                problems.push(format!("{name}: {problem}"));
            }
            for note in &block.notes {
                report.add(Effect::Warning, "NoEffect", format!("{name}: {note}"));
            }
        }
        let shared = |read: Option<(&str, Block)>| read.map(|(_, block)| Arc::new(block));
        GlobalSnippets {
            http: shared(http),
            server: shared(server),
            location: shared(location),
            sets,
        }
    }
}
