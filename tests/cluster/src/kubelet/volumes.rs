//! A pod's volumes as folders of the host: emptyDir, hostPath, claims, and files made from ConfigMaps, Secrets, the downward API and
//! ServiceAccount tokens. Files are exchanged all at once through a symbolic link, as a kubelet does it, and kept up to date.

use std::{
    collections::BTreeMap,
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, chown, symlink},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use k8s_openapi::api::{
    authentication::v1::TokenRequest,
    core::v1::{
        DownwardAPIVolumeFile, KeyToPath, Pod, ServiceAccount, ServiceAccountTokenProjection,
        Volume,
    },
};
use kube::{Api, ResourceExt, api::PostParams};
use serde_json::json;

use super::environment::Resolver;
use crate::isolation;

type Files = BTreeMap<String, Vec<u8>>;

/// The volumes of one pod.
pub(crate) struct Volumes {
    folder: PathBuf,
    /// Group that every volume belongs to (`fsGroup`).
    group: Option<u32>,
    /// Files as last written, by volume.
    written: BTreeMap<String, Files>,
    /// Tokens with the time of their renewal, by path.
    tokens: BTreeMap<String, (Vec<u8>, Instant)>,
    generation: u32,
}

impl Volumes {
    /// None yet; they will be made below `folder`.
    pub(crate) fn new(folder: PathBuf, pod: &Pod) -> Self {
        let context = pod.spec.as_ref().and_then(|spec| spec.security_context.as_ref());
        let group = context
            .and_then(|context| context.fs_group)
            .filter(|_| isolation::has_users())
            .map(|group| group as u32);
        Self { folder, group, written: BTreeMap::new(), tokens: BTreeMap::new(), generation: 0 }
    }

    /// Makes what is missing and writes what has changed. Fails while something that a volume names does not exist.
    pub(crate) async fn update(
        &mut self,
        resolver: &Resolver<'_>,
    ) -> Result<BTreeMap<String, PathBuf>> {
        let volumes = resolver.pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
        let mut paths = BTreeMap::new();
        for volume in volumes {
            let path = self
                .one(volume, resolver)
                .await
                .with_context(|| format!("volume {}", volume.name))?;
            paths.insert(volume.name.clone(), path);
        }
        Ok(paths)
    }

    async fn one(&mut self, volume: &Volume, resolver: &Resolver<'_>) -> Result<PathBuf> {
        if let Some(host) = &volume.host_path {
            return Ok(PathBuf::from(&host.path));
        }
        if let Some(claim) = &volume.persistent_volume_claim {
            let namespace = resolver.pod.namespace().unwrap_or_default();
            let path = Path::new(isolation::ROOM)
                .join("claims")
                .join(format!("{namespace}-{}", claim.claim_name));
            self.make(&path)?;
            return Ok(path);
        }
        let path = self.folder.join(&volume.name);
        if volume.empty_dir.is_some() {
            self.make(&path)?;
            return Ok(path);
        }
        let mut files = Files::new();
        if let Some(map) = &volume.config_map {
            project(
                &mut files,
                resolver.config_map(&map.name, map.optional).await?,
                map.items.as_deref(),
            )?;
        } else if let Some(secret) = &volume.secret {
            let name = secret.secret_name.as_deref().unwrap_or_default();
            project(
                &mut files,
                resolver.secret(name, secret.optional).await?,
                secret.items.as_deref(),
            )?;
        } else if let Some(downward) = &volume.downward_api {
            describe(&mut files, resolver, downward.items.as_deref())?;
        } else if let Some(projected) = &volume.projected {
            for source in projected.sources.iter().flatten() {
                if let Some(map) = &source.config_map {
                    project(
                        &mut files,
                        resolver.config_map(&map.name, map.optional).await?,
                        map.items.as_deref(),
                    )?;
                }
                if let Some(secret) = &source.secret {
                    project(
                        &mut files,
                        resolver.secret(&secret.name, secret.optional).await?,
                        secret.items.as_deref(),
                    )?;
                }
                if let Some(downward) = &source.downward_api {
                    describe(&mut files, resolver, downward.items.as_deref())?;
                }
                if let Some(token) = &source.service_account_token {
                    let content = self.token(&volume.name, token, resolver).await?;
                    files.insert(token.path.clone(), content);
                }
            }
        } else {
            bail!("volumes of this kind are not supported here");
        }
        if self.written.get(&volume.name) != Some(&files) {
            self.write(&path, &files)?;
            self.written.insert(volume.name.clone(), files);
        }
        Ok(path)
    }

    /// A folder that every user may write to, or only the group where there is one.
    fn make(&self, path: &Path) -> Result<()> {
        if path.exists() {
            return Ok(());
        }
        fs::create_dir_all(path)?;
        fs::set_permissions(
            path,
            Permissions::from_mode(if self.group.is_some() { 0o2775 } else { 0o777 }),
        )?;
        Ok(chown(path, None, self.group)?)
    }

    /// Writes a new set of files and turns the link `..data` to it, so that nobody sees half of it.
    fn write(&mut self, path: &Path, files: &Files) -> Result<()> {
        self.generation += 1;
        let name = format!("..{}", self.generation);
        let folder = path.join(&name);
        fs::create_dir_all(&folder)?;
        for (file, content) in files {
            let target = folder.join(file);
            fs::create_dir_all(target.parent().unwrap_or(&folder))?;
            fs::write(&target, content)?;
        }
        let (link, former) = (path.join("..data"), fs::read_link(path.join("..data")).ok());
        symlink(&name, path.join("..new"))?;
        fs::rename(path.join("..new"), &link)?;
        let tops: std::collections::BTreeSet<_> =
            files.keys().filter_map(|file| file.split('/').next()).collect();
        for entry in fs::read_dir(path)? {
            let entry = entry?.file_name().to_string_lossy().into_owned();
            if !entry.starts_with("..") && !tops.contains(entry.as_str()) {
                fs::remove_file(path.join(entry))?;
            }
        }
        for top in tops {
            if fs::symlink_metadata(path.join(top)).is_err() {
                symlink(Path::new("..data").join(top), path.join(top))?;
            }
        }
        if let Some(former) = former {
            fs::remove_dir_all(path.join(former))?;
        }
        Ok(())
    }

    /// A token of the pod's ServiceAccount, bound to the pod. Renewed when four fifths of its life are over.
    async fn token(
        &mut self,
        volume: &str,
        wanted: &ServiceAccountTokenProjection,
        resolver: &Resolver<'_>,
    ) -> Result<Vec<u8>> {
        let key = format!("{volume}/{}", wanted.path);
        if let Some((token, renewal)) = self.tokens.get(&key)
            && Instant::now() < *renewal
        {
            return Ok(token.clone());
        }
        let seconds = wanted.expiration_seconds.unwrap_or(3600);
        let audiences: Vec<&String> = wanted.audience.iter().collect();
        let request = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {
                "audiences": audiences,
                "expirationSeconds": seconds,
                "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": resolver.pod.name_any(), "uid": resolver.pod.uid()},
            },
        });
        let account = resolver.field("spec.serviceAccountName")?;
        let api = Api::<ServiceAccount>::namespaced(
            resolver.client.clone(),
            &resolver.pod.namespace().unwrap_or_default(),
        );
        let answer: TokenRequest =
            api.create_subresource("token", &account, &PostParams::default(), &request).await?;
        let token = answer.status.context("the API server gave no token")?.token.into_bytes();
        let renewal = Instant::now() + Duration::from_secs(seconds.unsigned_abs() * 4 / 5);
        self.tokens.insert(key, (token.clone(), renewal));
        Ok(token)
    }
}

/// Adds values as files: all of them under their keys, or those that `items` name.
fn project(files: &mut Files, mut values: Files, items: Option<&[KeyToPath]>) -> Result<()> {
    match items {
        None | Some([]) => files.extend(values),
        Some(items) => {
            for item in items {
                let value = values
                    .remove(&item.key)
                    .with_context(|| format!("there is no key {}", item.key))?;
                files.insert(item.path.clone(), value);
            }
        }
    }
    Ok(())
}

/// Adds fields of the pod as files.
fn describe(
    files: &mut Files,
    resolver: &Resolver<'_>,
    items: Option<&[DownwardAPIVolumeFile]>,
) -> Result<()> {
    for item in items.unwrap_or_default() {
        let field =
            item.field_ref.as_ref().context("this source of a file is not supported here")?;
        files.insert(item.path.clone(), resolver.field(&field.field_path)?.into_bytes());
    }
    Ok(())
}
