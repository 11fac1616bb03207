//! Who answers at an address.

use ureq::http::Uri;

/// Scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    scheme: String,
    authority: String,
}

impl Origin {
    /// `None` for an address without one.
    pub(crate) fn of(uri: &Uri) -> Option<Self> {
        // User information in an address is not part of who answers.
        let authority = uri.authority()?.as_str().rsplit('@').next()?.to_ascii_lowercase();
        Some(Self { scheme: uri.scheme_str()?.to_ascii_lowercase(), authority })
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let of = |text: &str| Origin::of(&text.parse().unwrap());
        assert_eq!(of("https://hub.example/a"), of("https://HUB.example/b"));
        assert_ne!(of("https://hub.example/a"), of("http://hub.example/a"));
        assert_ne!(of("https://hub.example/a"), of("https://hub.example:8443/a"));
        assert_ne!(of("https://hub.example/a"), of("https://hub.example.evil/a"));
        assert_ne!(of("https://hub.example/a"), of("https://hub.example@evil/a"));
    }
}
