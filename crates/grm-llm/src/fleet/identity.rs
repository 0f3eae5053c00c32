//! All servers of a fleet serve one model, or the odd one is named.

use grm_core::{ModelError, ModelIdentity};

/// What all of them serve; `None` of nobody. Where they differ the error names a server that serves something else than
/// most, or, of two, the second.
pub(super) fn common(found: &[(String, ModelIdentity)]) -> Result<Option<&ModelIdentity>, ModelError> {
    let alike = |identity: &ModelIdentity| found.iter().filter(|(_, other)| other == identity).count();
    // Of several that are equally common the first named counts, so the last maximum is not what is wanted.
    let most = found.iter().rev().max_by_key(|(_, identity)| alike(identity));
    let Some((place, identity)) = most else { return Ok(None) };
    match found.iter().find(|(_, other)| other != identity) {
        None => Ok(Some(identity)),
        Some((odd, other)) => Err(differs(odd, other, place, identity)),
    }
}

/// The error about a server that serves something else than the rest.
pub(super) fn differs(odd: &str, other: &ModelIdentity, place: &str, identity: &ModelIdentity) -> ModelError {
    ModelError::Rejected {
        place: odd.to_owned(),
        status: 200,
        reason: format!("it serves {}, but {place} serves {}", described(other), described(identity)),
        hint: "servers of one role must serve the same model under the same name; start it with the same model and \
               --served-model-name, or leave it out"
            .to_owned(),
    }
}

fn described(identity: &ModelIdentity) -> String {
    let ModelIdentity { name, revision, adapter } = identity;
    let adapter = if adapter.is_empty() { String::new() } else { format!(" with {adapter}") };
    format!("{name} ({revision}){adapter}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(names: &[&str]) -> Vec<(String, ModelIdentity)> {
        let identity = |name: &str| ModelIdentity { name: name.into(), revision: "r".into(), adapter: String::new() };
        names.iter().enumerate().map(|(number, name)| (format!("http://{number}"), identity(name))).collect()
    }

    #[test]
    fn the_odd_one_is_named() {
        assert_eq!(common(&[]).unwrap(), None);
        assert_eq!(common(&found(&["m", "m"])).unwrap().unwrap().name, "m");
        for (names, odd) in
            [(&["m", "x", "m"][..], "http://1"), (&["x", "m", "m"], "http://0"), (&["m", "x"], "http://1")]
        {
            let error = common(&found(names)).unwrap_err().to_string();
            assert!(error.starts_with(odd) && error.contains("it serves x (r), but"), "{error}");
        }
    }
}
