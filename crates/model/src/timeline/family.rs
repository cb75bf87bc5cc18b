//! IP address families. A Service has one or both, and DNS serves the addresses of its pods that are of the Service's
//! families (<https://kubernetes.io/docs/concepts/services-networking/dual-stack/>).

use std::net::IpAddr;

/// A family of IP addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    Four,
    /// IPv6.
    Six,
}

impl Family {
    /// Both families.
    pub const ALL: [Self; 2] = [Self::Four, Self::Six];

    /// The family of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::Four } else { Self::Six }
    }

    /// The families that `spec.ipFamilies` of a Service names, in its order.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<Self> {
        let family = |name| match name {
            "IPv4" => Some(Self::Four),
            "IPv6" => Some(Self::Six),
            _ => None,
        };
        names.into_iter().filter_map(family).collect()
    }

    /// The record type for addresses of this family (RFC 1035 section 3.4.1, RFC 3596 section 2.1).
    pub fn record_type(self) -> &'static str {
        match self {
            Self::Four => "A",
            Self::Six => "AAAA",
        }
    }
}
