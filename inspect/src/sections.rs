//! The outermost sections of a module or a component, one after the other.

/// A section: an id, its size, and its content.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Section<'a> {
    /// The whole of it, with id and size.
    pub(crate) whole: &'a [u8],
    content: &'a [u8],
    id: u8,
}

impl<'a> Section<'a> {
    /// The content of a custom section of this name.
    pub(crate) fn custom(&self, name: &str) -> Option<&'a [u8]> {
        if self.id != 0 {
            return None;
        }
        let mut rest = self.content;
        let len = leb128(&mut rest)?;
        (take(&mut rest, len)? == name.as_bytes()).then_some(rest)
    }
}

/// The header of a file of WebAssembly and its sections; `None` if the file is none, or is cut off.
pub(crate) fn split(bytes: &[u8]) -> Option<(&[u8], Vec<Section<'_>>)> {
    let (header, mut rest) = bytes.split_at_checked(8)?;
    if !header.starts_with(b"\0asm") {
        return None;
    }
    let mut sections = Vec::new();
    while let Some((id, after)) = rest.split_first() {
        let before = rest;
        rest = after;
        let size = leb128(&mut rest)?;
        let content = take(&mut rest, size)?;
        let whole = before.get(..before.len() - rest.len())?;
        sections.push(Section { whole, content, id: *id });
    }
    Some((header, sections))
}

/// Writes a custom section.
pub(crate) fn write_custom(name: &str, content: &[u8], to: &mut Vec<u8>) {
    let mut start = Vec::new();
    write_leb128(name.len(), &mut start);
    start.extend_from_slice(name.as_bytes());
    to.push(0);
    write_leb128(start.len() + content.len(), to);
    to.extend_from_slice(&start);
    to.extend_from_slice(content);
}

/// Takes a number of at most 32 bits from the front.
pub(crate) fn leb128(bytes: &mut &[u8]) -> Option<usize> {
    let mut value = 0u64;
    for shift in (0..35).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return u32::try_from(value).ok()?.try_into().ok();
        }
    }
    None
}

pub(crate) fn write_leb128(mut value: usize, to: &mut Vec<u8>) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            return to.push(low);
        }
        to.push(low | 0x80);
    }
}

/// Takes so many bytes from the front.
pub(crate) fn take<'a>(bytes: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_were_written() {
        for value in [0, 1, 127, 128, 300, 16_383, 16_384, 33_554_432, u32::MAX as usize] {
            let mut bytes = Vec::new();
            write_leb128(value, &mut bytes);
            let mut rest = bytes.as_slice();
            assert_eq!(leb128(&mut rest), Some(value));
            assert!(rest.is_empty());
        }
        for bytes in [&[][..], &[0x80], &[0xff, 0xff, 0xff, 0xff, 0x1f], &[0x80; 6]] {
            assert_eq!(leb128(&mut &*bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn a_module_is_its_header_and_its_sections() {
        let module = wat::parse_str(r#"(module (memory 1) (@custom "a" "xyz") (func))"#).unwrap();
        let (header, sections) = split(&module).unwrap();
        let mut joined = header.to_vec();
        sections.iter().for_each(|section| joined.extend_from_slice(section.whole));
        assert_eq!(joined, module);
        let custom: Vec<&[u8]> = sections.iter().filter_map(|section| section.custom("a")).collect();
        assert_eq!(custom, [b"xyz"]);
        assert!(split(&module[..module.len() - 1]).is_none());
    }
}
