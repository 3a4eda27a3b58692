//! JSON in which an object is written as an object.
//!
//! serde also reads a struct from an array, by position: `["a"]` would be a policy whose first field is
//! `"a"`. Nobody means that who writes JSON, and a field that is added later would change what it means.

use std::fmt;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};

/// Reads a whole text as JSON.
///
/// # Errors
///
/// It is no JSON, or of another shape, or has an array in a struct's place.
pub(crate) fn from_slice<T: DeserializeOwned>(text: &[u8]) -> serde_json::Result<T> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = T::deserialize(Objects(&mut json))?;
    json.end()?;
    Ok(value)
}

/// Around whatever takes part in reading: hands everything on, but lets a struct be read from a map only.
struct Objects<T>(T);

/// Around the visitor of a struct: whoever gives it something else is told what is wanted, by JSON's name.
struct Object<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for Object<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object: {…}")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Objects(map))
    }
}

macro_rules! ask {
    ($($method:ident($($argument:ident: $ty:ty),*);)*) => {
        $(fn $method<V: Visitor<'de>>(self, $($argument: $ty,)* visitor: V) -> Result<V::Value, D::Error> {
            self.0.$method($($argument,)* Objects(visitor))
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Objects<D> {
    type Error = D::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_struct(name, fields, Object(visitor))
    }

    ask! {
        deserialize_any();
        deserialize_bool();
        deserialize_i8();
        deserialize_i16();
        deserialize_i32();
        deserialize_i64();
        deserialize_u8();
        deserialize_u16();
        deserialize_u32();
        deserialize_u64();
        deserialize_f32();
        deserialize_f64();
        deserialize_char();
        deserialize_str();
        deserialize_string();
        deserialize_bytes();
        deserialize_byte_buf();
        deserialize_option();
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_newtype_struct(name: &'static str);
        deserialize_seq();
        deserialize_tuple(length: usize);
        deserialize_tuple_struct(name: &'static str, length: usize);
        deserialize_map();
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
        deserialize_identifier();
        deserialize_ignored_any();
    }
}

macro_rules! tell {
    ($($method:ident($ty:ty);)*) => {
        $(fn $method<E: Error>(self, value: $ty) -> Result<V::Value, E> {
            self.0.$method(value)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Objects<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    tell! {
        visit_bool(bool);
        visit_i64(i64);
        visit_u64(u64);
        visit_f64(f64);
        visit_str(&str);
        visit_borrowed_str(&'de str);
        visit_string(String);
        visit_bytes(&[u8]);
        visit_byte_buf(Vec<u8>);
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(Objects(inner))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(Objects(inner))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Objects(seq))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Objects(map))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.0.visit_enum(Objects(access))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Objects<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Objects(deserializer))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Objects<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(Objects(seed))
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Objects<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_key_seed(Objects(seed))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(Objects(seed))
    }
}

impl<'de, A: EnumAccess<'de>> EnumAccess<'de> for Objects<A> {
    type Error = A::Error;
    type Variant = Objects<A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Objects<A::Variant>), A::Error> {
        let (value, variant) = self.0.variant_seed(Objects(seed))?;
        Ok((value, Objects(variant)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Objects<A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.0.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.0.newtype_variant_seed(Objects(seed))
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.0.tuple_variant(length, Objects(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.0.struct_variant(fields, Object(visitor))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Outer {
        inner: Inner,
        pairs: Vec<(String, u64)>,
        named: BTreeMap<u32, Option<Inner>>,
        choice: Option<Choice>,
        text: Option<String>,
        ratio: f64,
        any: serde_json::Value,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Inner {
        yes: bool,
        below: i64,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Choice {
        Nothing,
        One(Inner),
        Fields { number: u8 },
    }

    fn outer(json: &str) -> serde_json::Result<Outer> {
        from_slice(json.as_bytes())
    }

    #[test]
    fn what_is_written_as_serde_writes_it_is_read_as_serde_reads_it() {
        for json in [
            "{}",
            r#" {"inner": {"yes": true, "below": -1}, "pairs": [["a", 1], ["b", 2]]} "#,
            r#"{"named": {"7": null, "8": {"yes": true}}, "text": "\u00fc", "ratio": 1.5}"#,
            r#"{"choice": "nothing"}"#,
            r#"{"choice": {"one": {"below": 3}}}"#,
            r#"{"choice": {"fields": {"number": 3}}}"#,
            r#"{"any": [{"a": [1, null, false]}]}"#,
        ] {
            let read: Outer = serde_json::from_str(json).unwrap();
            assert_eq!(outer(json).unwrap(), read, "{json}");
        }
        assert_eq!(from_slice::<Vec<Inner>>(b"[{}]").unwrap(), [Inner::default()]);
    }

    #[test]
    fn an_array_is_no_object_wherever_it_stands() {
        for json in [
            "[]",
            r#"[{"yes": true}]"#,
            r#"{"inner": [true]}"#,
            r#"{"named": {"8": [true]}}"#,
            r#"{"choice": {"one": [true]}}"#,
            r#"{"choice": {"fields": [3]}}"#,
        ] {
            let error = outer(json).unwrap_err();
            assert!(error.is_data(), "{json}");
            assert!(
                error.to_string().starts_with("invalid type: sequence, expected an object: {…}"),
                "{error}"
            );
            assert!(serde_json::from_str::<Outer>(json).is_ok(), "{json} is what serde would take");
        }
        assert!(from_slice::<Vec<Inner>>(b"[[true]]").is_err());
    }

    #[test]
    fn mistakes_are_told_as_ever() {
        for json in ["", "{", "{} {}", r#"{"unknown": 1}"#, r#"{"inner": {"yes": 1}}"#, "7"] {
            let (own, theirs) = (outer(json).unwrap_err(), serde_json::from_str::<Outer>(json).unwrap_err());
            assert_eq!(own.classify(), theirs.classify(), "{json}: {own}");
            assert_eq!((own.line(), own.column()), (theirs.line(), theirs.column()), "{json}: {own}");
        }
    }
}
