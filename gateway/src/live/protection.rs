//! What protects a location, in the form in which requests use it.

use std::sync::Arc;

use headgate_config::{Location, Protection, UpstreamId, protection::PasswordScheme};
use smallvec::SmallVec;

use super::host::UpstreamRef;
use crate::{
    filter::{
        access::Access,
        external::External,
        jwt::{Token, VerifiedTokens},
        password::{Password, Passwords},
    },
    limits::{Limits, Registry},
    upstream::keys::{KeyStores, KeyUse},
};

/// What protects a location.
pub struct LiveProtection {
    /// As configured.
    pub spec: Arc<Protection>,
    /// Who is asked whether a client may come, in this order.
    pub checks: SmallVec<[Check; 4]>,
    /// How many requests a client may make.
    pub limits: Option<Limits>,
    /// Which addresses may come.
    pub access: Option<Access>,
    /// The question for user name and password.
    pub password: Option<Password>,
    /// The question for a token; none if there is nowhere to have the keys from.
    pub token: Option<LiveToken>,
    /// The service that is asked; none if it cannot be asked as configured.
    pub external: Option<LiveExternal>,
}

/// A question for a token.
pub struct LiveToken {
    /// What is asked of one.
    pub policy: Token,
    /// The keys of its issuer.
    pub keys: KeyUse,
}

/// A service that is asked.
pub struct LiveExternal {
    /// What is asked, and what answers mean.
    pub policy: External,
    /// Its endpoints, if they are not those of a name.
    pub upstream: Option<UpstreamRef>,
}

/// A check of who may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// By its address.
    Access,
    /// By user name and password.
    Password,
    /// By a token.
    Token,
    /// By another service.
    External,
}

/// What outlives a table, and all locations share.
#[derive(Clone, Copy)]
pub(super) struct Shared<'a> {
    /// Counters of limits.
    pub limits: &'a Registry,
    /// Passwords that were compared.
    pub passwords: &'a Arc<Passwords>,
    /// Keys of issuers of tokens.
    pub keys: &'a KeyStores,
    /// Tokens that were verified.
    pub tokens: &'a Arc<VerifiedTokens>,
}

impl LiveProtection {
    /// Compiles `spec` for this location of `host`; nothing if it asks for nothing. `find` knows the upstreams.
    pub(super) fn new(
        spec: &Arc<Protection>,
        host: &str,
        location: &Location,
        find: impl Fn(&UpstreamId) -> Option<UpstreamRef>,
        shared: Shared<'_>,
    ) -> Option<Self> {
        let password = spec.password.as_ref().map(|password| password.scheme);
        // Where all have to pass, a digest is asked for before the address is looked at (annotations §3.0, step 11).
        let digest_first = password == Some(PasswordScheme::Digest) && !spec.any_is_enough;
        let access = spec.access.as_ref().map(|_| Check::Access);
        let password = password.map(|_| Check::Password);
        let token = spec.token.as_ref().map(|_| Check::Token);
        let external = spec.external.as_ref().map(|_| Check::External);
        let [first, second] = if digest_first { [password, access] } else { [access, password] };
        // What costs a question comes last.
        let order = [first, second, token, external];
        let token = spec.token.as_ref().and_then(|token| {
            let endpoints = token.keys.upstream.as_ref().map(|id| find(id).ok_or(()));
            let (endpoints, user) = (endpoints.transpose().ok()?, location.origin.object.as_ref());
            let keys = shared.keys.find(&token.keys, endpoints, user);
            Some(LiveToken { policy: Token::new(token, host, shared.tokens), keys })
        });
        let service = spec.external.as_ref().and_then(|service| {
            let upstream = service.upstream.as_ref().map(|id| find(id).ok_or(()));
            let upstream = upstream.transpose().ok()?;
            let policy = External::new(service, host, &location.matcher)?;
            Some(LiveExternal { policy, upstream })
        });
        let checks: SmallVec<_> = order.into_iter().flatten().collect();
        let asks_for_nothing =
            checks.is_empty() && spec.limits.is_none() && spec.removed_headers.is_empty();
        (!asks_for_nothing).then(|| Self {
            external: service,
            token,
            spec: Arc::clone(spec),
            checks,
            limits: spec.limits.as_ref().map(|limits| Limits::new(limits, shared.limits)),
            access: spec.access.as_deref().map(Access::new),
            password: spec.password.as_deref().map(|spec| Password::new(spec, shared.passwords)),
        })
    }
}
