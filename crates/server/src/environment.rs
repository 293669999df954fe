//! The one place that reads the environment.

/// Every variable whose name and value are text.
#[expect(clippy::disallowed_methods, reason = "the environment is read here and passed on as a value")]
pub fn variables() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// The value of one variable; an empty one counts as not set.
pub fn variable(name: &str) -> Option<String> {
    variables().into_iter().find(|(known, value)| known == name && !value.is_empty()).map(|(_, value)| value)
}
