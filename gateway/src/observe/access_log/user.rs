//! The user name in an `Authorization` header, for `$remote_user`.

use crate::filter::password::Basic;

/// The user of basic authentication. None if the header is of another kind or malformed, or the name is empty.
pub(crate) fn basic_user(authorization: &[u8]) -> Option<Vec<u8>> {
    Basic::parse(authorization).map(Basic::into_user)
}
