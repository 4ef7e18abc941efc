//! Environment and arguments of a container, from its pod and what that refers to.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::{ConfigMap, Container, EnvVarSource, Pod, Secret};
use kube::{Api, Client, ResourceExt};

/// Resolves what is named in a pod's spec.
pub(crate) struct Resolver<'a> {
    pub(crate) client: &'a Client,
    pub(crate) pod: &'a Pod,
    pub(crate) pod_ip: String,
    pub(crate) host_ip: String,
}

impl Resolver<'_> {
    /// The variables of a container, in the order in which they are defined. Those of other Services (`enableServiceLinks`) are left out.
    pub(crate) async fn environment(&self, container: &Container) -> Result<Vec<(String, String)>> {
        let mut found: Vec<(String, String)> = [
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("HOSTNAME", &self.pod.name_any()),
            ("KUBERNETES_SERVICE_HOST", "10.96.0.1"),
            ("KUBERNETES_SERVICE_PORT", "443"),
            ("KUBERNETES_SERVICE_PORT_HTTPS", "443"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        for source in container.env_from.iter().flatten() {
            let prefix = source.prefix.as_deref().unwrap_or_default();
            let values = match (&source.config_map_ref, &source.secret_ref) {
                (Some(map), _) => self.config_map(&map.name, map.optional).await?,
                (_, Some(secret)) => self.secret(&secret.name, secret.optional).await?,
                _ => BTreeMap::new(),
            };
            found.extend(
                values.into_iter().map(|(key, value)| (format!("{prefix}{key}"), text(&value))),
            );
        }
        for variable in container.env.iter().flatten() {
            let value = match &variable.value_from {
                None => Some(expand(variable.value.as_deref().unwrap_or_default(), &found)),
                Some(source) => {
                    self.value(source).await.with_context(|| format!("env {}", variable.name))?
                }
            };
            if let Some(value) = value {
                found.retain(|(name, _)| *name != variable.name);
                found.push((variable.name.clone(), value));
            }
        }
        Ok(found)
    }

    async fn value(&self, source: &EnvVarSource) -> Result<Option<String>> {
        if let Some(field) = &source.field_ref {
            return Ok(Some(self.field(&field.field_path)?));
        }
        let (values, key, optional) = match (&source.config_map_key_ref, &source.secret_key_ref) {
            (Some(map), _) => {
                (self.config_map(&map.name, map.optional).await?, &map.key, map.optional)
            }
            (_, Some(secret)) => {
                (self.secret(&secret.name, secret.optional).await?, &secret.key, secret.optional)
            }
            _ => bail!("this source of a value is not supported here"),
        };
        match values.get(key) {
            Some(value) => Ok(Some(text(value))),
            None if optional == Some(true) => Ok(None),
            None => bail!("there is no key {key}"),
        }
    }

    /// A field of the pod, as the downward API names it.
    pub(crate) fn field(&self, path: &str) -> Result<String> {
        let spec = self.pod.spec.as_ref();
        let keyed = |map: &BTreeMap<String, String>, key: &str| {
            map.get(key.trim_end_matches("']")).cloned().unwrap_or_default()
        };
        Ok(match path {
            "metadata.name" => self.pod.name_any(),
            "metadata.namespace" => self.pod.namespace().unwrap_or_default(),
            "metadata.uid" => self.pod.uid().unwrap_or_default(),
            "spec.nodeName" => spec.and_then(|spec| spec.node_name.clone()).unwrap_or_default(),
            "spec.serviceAccountName" => {
                spec.and_then(|spec| spec.service_account_name.clone()).unwrap_or_default()
            }
            "status.podIP" | "status.podIPs" => self.pod_ip.clone(),
            "status.hostIP" | "status.hostIPs" => self.host_ip.clone(),
            _ => match path.split_once("['") {
                Some(("metadata.labels", key)) => keyed(self.pod.labels(), key),
                Some(("metadata.annotations", key)) => keyed(self.pod.annotations(), key),
                _ => bail!("the field {path} is not supported here"),
            },
        })
    }

    /// A ConfigMap's values; none if it does not exist and need not.
    pub(crate) async fn config_map(
        &self,
        name: &str,
        optional: Option<bool>,
    ) -> Result<BTreeMap<String, Vec<u8>>> {
        let api = Api::<ConfigMap>::namespaced(
            self.client.clone(),
            &self.pod.namespace().unwrap_or_default(),
        );
        let found = api.get_opt(name).await?;
        if found.is_none() && optional != Some(true) {
            bail!("configmap {name} not found");
        }
        let found = found.unwrap_or_default();
        let texts = found
            .data
            .unwrap_or_default()
            .into_iter()
            .map(|(key, value)| (key, value.into_bytes()));
        Ok(texts
            .chain(
                found
                    .binary_data
                    .unwrap_or_default()
                    .into_iter()
                    .map(|(key, value)| (key, value.0)),
            )
            .collect())
    }

    /// A Secret's values; none if it does not exist and need not.
    pub(crate) async fn secret(
        &self,
        name: &str,
        optional: Option<bool>,
    ) -> Result<BTreeMap<String, Vec<u8>>> {
        let api = Api::<Secret>::namespaced(
            self.client.clone(),
            &self.pod.namespace().unwrap_or_default(),
        );
        let found = api.get_opt(name).await?;
        if found.is_none() && optional != Some(true) {
            bail!("secret {name} not found");
        }
        Ok(found
            .unwrap_or_default()
            .data
            .unwrap_or_default()
            .into_iter()
            .map(|(key, value)| (key, value.0))
            .collect())
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Puts variables in for `$(NAME)`. `$$` stands for a dollar; unknown names stay as they are.
pub(crate) fn expand(text: &str, variables: &[(String, String)]) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        result.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            result.push('$');
            rest = after;
            continue;
        }
        let name = after.strip_prefix('(').and_then(|after| after.split_once(')'));
        let known = name.and_then(|(name, after)| {
            let (_, value) = variables.iter().rev().find(|(each, _)| each == name)?;
            Some((value, after))
        });
        rest = match known {
            Some((value, after)) => {
                result.push_str(value);
                after
            }
            None => {
                result.push('$');
                after
            }
        };
    }
    result + rest
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn variables_are_put_in_where_they_are_known() {
        let variables = [("NAME".to_owned(), "posts".to_owned())];
        for (text, expected) in [
            ("a $(NAME)/$(NAME)", "a posts/posts"),
            ("$$(NAME)", "$(NAME)"),
            ("$(OTHER) $5 $", "$(OTHER) $5 $"),
            ("$(NAME", "$(NAME"),
        ] {
            assert_eq!(expand(text, &variables), expected);
        }
    }
}
