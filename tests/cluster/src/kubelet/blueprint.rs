//! From a container's spec to what is run: command, environment, mounts, user.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
use kube::ResourceExt;
use tokio::sync::watch;

use super::{
    Kubelet,
    container::{Stop, Supervised, waiting},
    environment::{Resolver, expand},
    sandbox::{Identity, Mount, Program, Sandbox},
};
use crate::{
    dns,
    images::{Image, name_of},
    isolation,
    network::PodNetwork,
};

/// What the containers of a pod have in common.
pub(crate) struct Blueprint<'a> {
    pub(crate) kubelet: &'a Arc<Kubelet>,
    pub(crate) pod: &'a Pod,
    pub(crate) network: &'a PodNetwork,
    pub(crate) resolver: Resolver<'a>,
    /// Where containers have their roots.
    pub(crate) folder: PathBuf,
    /// Folders of the pod's volumes.
    pub(crate) volumes: BTreeMap<String, PathBuf>,
}

impl Blueprint<'_> {
    /// All containers, ready to be run. Fails while something that they name does not exist.
    pub(crate) async fn containers(&self, stop: &Stop) -> Result<Vec<Supervised>> {
        let spec = self.pod.spec.as_ref().context("a pod without spec")?;
        let mut ready = Vec::new();
        for container in &spec.containers {
            let supervised = self.container(spec, container, stop.clone()).await;
            ready.push(supervised.with_context(|| format!("container {}", container.name))?);
        }
        Ok(ready)
    }

    async fn container(
        &self,
        spec: &PodSpec,
        container: &Container,
        stop: Stop,
    ) -> Result<Supervised> {
        let reference = container.image.as_deref().unwrap_or_default();
        let image = self.kubelet.images.get(name_of(reference));
        let image = image.with_context(|| format!("there is no image {reference}"))?;
        let environment = self.resolver.environment(container).await?;
        let command = command(container, image, &environment);
        let namespace = self.pod.namespace().unwrap_or_default();
        let key = (namespace, self.pod.name_any(), container.name.clone());
        let folder = container.working_dir.clone().unwrap_or_else(|| "/".into());
        let program = Program { command, environment, folder, log: self.kubelet.log(&key) };
        let kubelet = Arc::clone(self.kubelet);
        let process = move |id: Option<u32>| {
            let mut processes = kubelet.lock(&kubelet.processes);
            match id {
                Some(id) => processes.insert(key.clone(), id),
                None => processes.remove(&key),
            };
        };
        Ok(Supervised {
            sandbox: self.sandbox(spec, container, image)?,
            program,
            restart_policy: spec.restart_policy.clone().unwrap_or_else(|| "Always".into()),
            stop,
            status: watch::Sender::new(waiting(container, "ContainerCreating", "")),
            process: Box::new(process),
            address: self.network.address,
            container: container.clone(),
        })
    }

    fn sandbox(&self, spec: &PodSpec, container: &Container, image: &Image) -> Result<Sandbox> {
        let name = self.pod.name_any();
        let namespace = self.pod.namespace().unwrap_or_default();
        let context = container.security_context.as_ref();
        Ok(Sandbox {
            network: self.network.path(),
            root: self.folder.join(&container.name),
            mounts: self.mounts(container, image)?,
            etc: BTreeMap::from([
                ("hosts", format!("127.0.0.1 localhost\n{} {name}\n", self.network.address)),
                ("nsswitch.conf", "hosts: files dns\n".into()),
                ("resolv.conf", dns::resolv_conf(&namespace)),
            ]),
            read_only_root: context.and_then(|own| own.read_only_root_filesystem) == Some(true),
            host_name: name,
            identity: identity(spec, container, image.user)?,
        })
    }

    fn mounts(&self, container: &Container, image: &Image) -> Result<Vec<Mount>> {
        let files = image.files.iter().map(|(target, source)| Mount {
            source: source.clone(),
            target: target.clone(),
            read_only: true,
        });
        let mut mounts: Vec<Mount> = files.collect();
        for mount in container.volume_mounts.iter().flatten() {
            let volume = self.volumes.get(&mount.name);
            let volume = volume.with_context(|| format!("there is no volume {}", mount.name))?;
            mounts.push(Mount {
                source: volume.join(mount.sub_path.as_deref().unwrap_or_default()),
                target: mount.mount_path.clone(),
                read_only: mount.read_only == Some(true),
            });
        }
        Ok(mounts)
    }
}

fn command(container: &Container, image: &Image, environment: &[(String, String)]) -> Vec<String> {
    let expanded = |words: &Option<Vec<String>>| -> Vec<String> {
        words.iter().flatten().map(|word| expand(word, environment)).collect()
    };
    let mut command = expanded(&container.command);
    if command.is_empty() {
        command.clone_from(&image.entrypoint);
    }
    command.extend(expanded(&container.args));
    command
}

/// Who the container runs as; what it says itself goes before what its pod says.
fn identity(spec: &PodSpec, container: &Container, image_user: u32) -> Result<Identity> {
    let (own, pod) = (container.security_context.as_ref(), spec.security_context.as_ref());
    let user = own.and_then(|own| own.run_as_user).or(pod.and_then(|pod| pod.run_as_user));
    let group = own.and_then(|own| own.run_as_group).or(pod.and_then(|pod| pod.run_as_group));
    let not_root = own.and_then(|own| own.run_as_non_root);
    let not_root = not_root.or(pod.and_then(|pod| pod.run_as_non_root)) == Some(true);
    let user = user.map_or(image_user, |user| user as u32);
    if not_root && user == 0 {
        bail!("container has runAsNonRoot and image will run as root");
    }
    let more = pod.iter().flat_map(|pod| pod.supplemental_groups.iter().flatten().copied());
    let groups = more.chain(pod.and_then(|pod| pod.fs_group)).map(|group| group as u32).collect();
    Ok(Identity {
        user,
        group: group.map_or(image_user, |group| group as u32),
        groups,
        may_escalate: own.and_then(|own| own.allow_privilege_escalation).unwrap_or(true),
        switch: isolation::has_users(),
    })
}
