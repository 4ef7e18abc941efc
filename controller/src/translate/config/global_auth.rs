//! The service that is asked about every location without one of its own: the keys `global-auth-*` (configmap-and-flags
//! §2.2).

use headgate_config::protection::{ExternalAuth, SignIn};

use crate::{
    options::Options,
    translate::annotations::{
        Annotations,
        external_auth::{self, duration, headers, text},
    },
};

/// The keys as far as they were read.
#[derive(Clone, Debug, Default)]
pub(super) struct GlobalAuth {
    /// `global-auth-url`.
    pub url: String,
    /// All that follows from the others, but for the URL.
    pub service: ExternalAuth,
    /// `global-auth-signin`.
    pub sign_in: String,
    /// `global-auth-signin-redirect-param`.
    pub return_parameter: String,
}

type Applied = Result<(), &'static str>;

impl GlobalAuth {
    /// Takes a method; a bad one counts as none.
    pub fn set_method(&mut self, text: &str) -> Applied {
        self.service.method = Some(text.to_owned()).filter(|text| text::is_method(text));
        if text.is_empty() || self.service.method.is_some() {
            Ok(())
        } else {
            Err("a method such as GET")
        }
    }

    /// Takes names of headers; those that are none are left out.
    pub fn set_response_headers(&mut self, text: &str) -> Applied {
        let lists: Vec<_> = text.split(',').map(headers::list).collect();
        let is_fine = lists.iter().all(Result::is_ok);
        let names = lists.into_iter().flatten().flatten().collect::<Vec<_>>().join(",");
        self.service.response_headers = headers::list(&names).unwrap_or_default();
        if is_fine { Ok(()) } else { Err("a list of names of headers; what is none is left out") }
    }

    /// Takes the address to come back to.
    pub fn set_request_redirect(&mut self, text: &str) -> Applied {
        let is_fine = text.bytes().all(|byte| byte.is_ascii_graphic());
        self.service.request_redirect =
            Some(text.to_owned()).filter(|text| is_fine && !text.is_empty());
        if is_fine { Ok(()) } else { Err("a URL") }
    }

    /// Takes what answers are remembered by; a bad key counts as none.
    pub fn set_cache_key(&mut self, text: &str) -> Applied {
        let is_fine = text::check_variables(text).is_ok();
        self.service.cache_key = Some(text.to_owned()).filter(|text| is_fine && !text.is_empty());
        if is_fine { Ok(()) } else { Err("a text with variables that there are") }
    }

    /// Takes how long answers are remembered; what cannot be read is as the default.
    pub fn set_cache_durations(&mut self, text: &str) -> Applied {
        self.service.cache_durations = duration::parse(text).unwrap_or_default();
        let is_fine = text.is_empty() || !self.service.cache_durations.is_empty();
        if is_fine {
            Ok(())
        } else {
            Err("a list of statuses and times such as 200 202 10m, 401 5m")
        }
    }

    /// Takes the page to sign in at; a bad one counts as none.
    pub fn set_sign_in(&mut self, text: &str) -> Applied {
        let is_fine =
            text.bytes().all(|byte| byte.is_ascii_graphic()) && text::check_variables(text).is_ok();
        self.sign_in = if is_fine { text.to_owned() } else { String::new() };
        if is_fine { Ok(()) } else { Err("a URL with variables that there are") }
    }

    /// Takes the name of the query parameter.
    pub fn set_return_parameter(&mut self, text: &str) -> Applied {
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let is_fine = text.bytes().all(fine);
        self.return_parameter = if is_fine { text.to_owned() } else { String::new() };
        if is_fine { Ok(()) } else { Err("the name of a query parameter") }
    }

    /// Makes locations ask the service, if there is one.
    ///
    /// # Errors
    ///
    /// It cannot be asked: nothing may pass.
    pub fn apply(self, options: &Options, plain: &mut Annotations) -> Result<(), String> {
        if self.url.is_empty() {
            return Ok(());
        }
        let upstream = text::check_url(&self.url, options)?;
        let mut service = ExternalAuth { url: self.url, upstream, ..self.service };
        if service.cache_durations.is_empty() {
            service.cache_durations = duration::parse(duration::DEFAULT).unwrap_or_default();
        }
        let parameter = Some(self.return_parameter).filter(|name| !name.is_empty());
        let sign_in = Some(self.sign_in).filter(|url| !url.is_empty()).map(|url| SignIn {
            url,
            return_parameter: parameter.unwrap_or_else(|| text::RETURN_PARAMETER.into()),
        });
        external_auth::replace(&mut plain.protection, Some(service), sign_in);
        Ok(())
    }
}
