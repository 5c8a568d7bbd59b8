//! Tenants as files: what is printed is read back as the same tenant.
//!
//! Values that equal their default are left out, so that a later default reaches them.

use super::Definition;
use super::values::print_tlsa;
use serde::Serialize;

#[derive(Serialize)]
struct Printed<'a> {
    domain: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pool: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    addresses: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tlsa: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dane: Option<bool>,
}

/// The tenant as a TOML file.
pub fn print_toml(definition: &Definition) -> String {
    // Texts, lists of texts and a truth value always have a form in TOML.
    toml::to_string(&printed(definition)).unwrap_or_default()
}

/// The tenant as one line of NDJSON, without its end.
pub fn print_ndjson(definition: &Definition) -> String {
    // The same holds for JSON.
    serde_json::to_string(&printed(definition)).unwrap_or_default()
}

fn printed(definition: &Definition) -> Printed<'_> {
    Printed {
        domain: &definition.domain,
        pool: definition.pool.as_deref(),
        endpoint: definition.explicit_endpoint.then_some(definition.endpoint.as_str()),
        addresses: definition.addresses.iter().map(ToString::to_string).collect(),
        tlsa: definition.tlsa.iter().map(print_tlsa).collect(),
        dane: (!definition.dane).then_some(false),
    }
}
