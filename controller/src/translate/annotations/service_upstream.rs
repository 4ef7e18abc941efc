//! `service-upstream`: requests go to the Service's own address (routing §11.4).

use super::{
    Annotations,
    check::BOOL,
    definition::{Bad::Fallback, Definition, Risk::Low, Scope::Service},
    group::Group::LoadBalancing,
    values::Values,
};

pub const ANNOTATIONS: &[Definition] =
    &[Definition::new("service-upstream", BOOL, Fallback, Low).scope(Service).documented(
        LoadBalancing,
        "ConfigMap: `service-upstream`, false",
        "Requests go to the Service's own address. What is no boolean is false here.",
    )];

pub fn read(values: &mut Values<'_>, annotations: &mut Annotations) {
    // Present but unreadable is false, whatever the ConfigMap says.
    if values.is_present("service-upstream") {
        annotations.service_upstream = values.bool("service-upstream").unwrap_or(false);
    }
}
