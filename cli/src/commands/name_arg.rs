//! A handler's name where something else could be taken for it.

use wasmcloud_wire::HandlerName;

/// Parses a name; what is none may stand in the wrong place, so the right order goes with the error.
pub fn name(text: &str, order: &str) -> Result<HandlerName, String> {
    text.parse().map_err(|error| format!("{error}; the order is: {order}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_name_is_told_with_the_order() {
        assert!(name("echo", "x").is_ok());
        let error = name("shop.example.com", "wasmcloud route add HOST[/PATH] NAME").unwrap_err();
        assert!(error.ends_with("the order is: wasmcloud route add HOST[/PATH] NAME"), "{error}");
    }
}
