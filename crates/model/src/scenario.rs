//! The names of the scenarios, their order, and what each builds on.

/// The scenarios in the order in which they are acted. Each needs all that stand before it in [`needs`].
pub const SCENARIOS: [&str; 18] = [
    "deploy",
    "replicate",
    "upgrade",
    "restart",
    "unready",
    "crash",
    "together",
    "scale",
    "grow",
    "roll",
    "drain",
    "freeze",
    "outage",
    "resolver",
    "control",
    "claims",
    "settle",
    "teardown",
];

/// What a scenario builds on.
pub fn needs(scenario: &str) -> &'static [&'static str] {
    match scenario {
        "deploy" => &[],
        "upgrade" | "restart" | "grow" | "settle" => &["deploy", "replicate"],
        _ => &["deploy"],
    }
}

/// The scenarios to act for these, with what they build on, in order. Teardown always comes last.
pub fn plan<'a>(wanted: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut all = vec!["teardown"];
    for scenario in wanted {
        all.extend(needs(scenario));
        all.push(scenario);
    }
    SCENARIOS.iter().filter(|scenario| all.contains(*scenario)).map(|&scenario| scenario.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_has_what_a_scenario_builds_on() {
        assert_eq!(plan(["restart"]), ["deploy", "replicate", "restart", "teardown"]);
        assert_eq!(plan(["settle"]), ["deploy", "replicate", "settle", "teardown"]);
        assert_eq!(plan(["scale", "deploy"]), ["deploy", "scale", "teardown"]);
        assert_eq!(plan(["teardown"]), ["deploy", "teardown"]);
        assert_eq!(plan([]), ["teardown"]);
    }
}
