//! The secrets of one cluster, new each time: certificate authority, the API servers' certificate, the key that signs ServiceAccount
//! tokens, and the tokens of the users that come with the cluster.

use std::{
    fs,
    io::Read,
    net::IpAddr,
    path::{Path, PathBuf},
};

use anyhow::Result;
use k8s_openapi::ByteString;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use serde_json::json;

use crate::network;

/// Users with a token of their own. All of them may do everything; the names tell them apart in the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum User {
    /// Tests and people.
    Admin,
    /// The stand-ins for kubelet, scheduler, kube-proxy and volume provisioner.
    StandIn,
    /// kube-controller-manager.
    Controllers,
}

impl User {
    const ALL: [Self; 3] = [Self::Admin, Self::StandIn, Self::Controllers];

    /// As the audit log has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::StandIn => "stand-in",
            Self::Controllers => "system:kube-controller-manager",
        }
    }
}

/// Names and files of the secrets.
pub(crate) struct Pki {
    folder: PathBuf,
    authority: String,
    tokens: Vec<(User, String)>,
}

impl Pki {
    /// Makes all secrets and writes the files below `folder`.
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let authority_key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        params.distinguished_name.push(DnType::CommonName, "headgate test cluster");
        let authority = params.self_signed(&authority_key)?.pem();
        let issuer = Issuer::new(params, authority_key);

        let names = [
            "localhost",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
        ];
        let mut params = CertificateParams::new(names.map(String::from))?;
        let addresses = [
            "127.0.0.1".parse()?,
            "10.96.0.1".parse()?,
            network::api_server(0).into(),
            network::api_server(1).into(),
        ];
        params
            .subject_alt_names
            .extend(addresses.map(|address: IpAddr| SanType::IpAddress(address)));
        let server_key = KeyPair::generate()?;
        let server = params.signed_by(&server_key, &issuer)?.pem();

        let accounts_key = KeyPair::generate()?;
        let tokens =
            User::ALL.into_iter().map(|user| Ok((user, random()?))).collect::<Result<Vec<_>>>()?;
        let table: String = tokens
            .iter()
            .map(|(user, token)| {
                format!("{token},{name},{name},\"system:masters\"\n", name = user.name())
            })
            .collect();
        for (name, content) in [
            ("ca.crt", authority.as_str()),
            ("server.crt", &server),
            ("server.key", &server_key.serialize_pem()),
            ("service-account.key", &accounts_key.serialize_pem()),
            ("service-account.pub", &accounts_key.public_key_pem()),
            ("tokens.csv", &table),
        ] {
            fs::write(folder.join(name), content)?;
        }
        Ok(Self { folder: folder.to_owned(), authority, tokens })
    }

    /// The path of one of the files.
    pub(crate) fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// The user's token.
    pub(crate) fn token(&self, user: User) -> &str {
        self.tokens.iter().find(|(each, _)| *each == user).map_or("", |(_, token)| token)
    }

    /// A kubeconfig for whoever has the token. It needs no other file.
    pub(crate) fn kubeconfig(&self, server: &str, token: &str) -> String {
        let authority = ByteString(self.authority.clone().into_bytes());
        // What is JSON is YAML too.
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "headgate", "cluster": {"server": server, "certificate-authority-data": authority}}],
            "users": [{"name": "headgate", "user": {"token": token}}],
            "contexts": [{"name": "headgate", "context": {"cluster": "headgate", "user": "headgate"}}],
            "current-context": "headgate",
        })
        .to_string()
    }
}

/// 128 bits that nobody guesses, as text.
fn random() -> Result<String> {
    let mut bytes = [0; 16];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
