//! Server-sent events (WHATWG HTML, section 9.2.6), as much of them as the log stream uses.

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SseEvent {
    /// Its name; `message` if the server gave none.
    pub name: String,
    /// Its data, lines joined by `\n`.
    pub data: String,
}

/// Puts events together from their lines.
#[derive(Debug, Default)]
pub struct SseParser {
    name: String,
    data: Option<String>,
    id: Option<String>,
    last_id: Option<String>,
}

impl SseParser {
    /// The id of the last whole event, after which the server has to go on: `Last-Event-ID`.
    pub fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// Forgets an event that the end of a connection cut off.
    pub fn reconnect(&mut self) {
        self.name.clear();
        self.data = None;
        self.id = None;
    }

    /// Takes a line, and gives the event that it completes.
    pub fn line(&mut self, line: &str) -> Option<SseEvent> {
        if line.is_empty() {
            let name = std::mem::take(&mut self.name);
            if let Some(id) = self.id.take() {
                self.last_id = Some(id);
            }
            let data = self.data.take()?;
            return Some(SseEvent { name: if name.is_empty() { "message".to_owned() } else { name }, data });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.name = value.to_owned(),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            // A comment (`: …`) keeps the connection alive; `retry` is ours to choose.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(parser: &mut SseParser, text: &str) -> Vec<(String, String)> {
        text.lines().filter_map(|line| parser.line(line)).map(|event| (event.name, event.data)).collect()
    }

    #[test]
    fn events_are_put_together_from_lines() {
        let mut parser = SseParser::default();
        let text = ": alive\n\nevent: line\nid: 7\ndata: {\"a\":1}\n\nevent:receipt\ndata:x\ndata: y\n\n";
        let pair = |name: &str, data: &str| (name.to_owned(), data.to_owned());
        assert_eq!(events(&mut parser, text), [pair("line", "{\"a\":1}"), pair("receipt", "x\ny")]);
        assert_eq!(parser.last_id(), Some("7"));
    }

    #[test]
    fn what_a_broken_connection_cut_off_is_forgotten_but_not_the_place() {
        let mut parser = SseParser::default();
        assert!(events(&mut parser, "id: 6\n\nid: 7\nevent: line\ndata: half").is_empty());
        parser.reconnect();
        assert_eq!(events(&mut parser, "data: whole\n\n"), [("message".to_owned(), "whole".to_owned())]);
        assert_eq!(parser.last_id(), Some("6"));
    }
}
