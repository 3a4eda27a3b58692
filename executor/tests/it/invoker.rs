//! invoker
