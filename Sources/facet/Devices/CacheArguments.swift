import ArgumentParser
import FacetPlacement

/// The option that says how keys and values are kept.
struct CacheArguments: ParsableArguments {
    @Option(
        name: [.customLong("cache-dtype"), .customLong("kv-dtype")],
        help: ArgumentHelp(
            "int8 keeps keys and values as bytes with a scale per token and head; the type of --dtype without it.",
            valueName: "type"))
    var cacheDtype: String?

    /// Whether keys and values are quantized.
    ///
    /// - Throws: `PlacementInputError.unknown` for a word that names no type, `CommandError` for a type that the
    ///   engine does not keep.
    func quantizes() throws -> Bool {
        guard let cacheDtype else { return false }
        let precision: CachePrecision = try NamedChoice.value(cacheDtype, option: "--cache-dtype")
        guard precision == .int8 else {
            throw CommandError.invalidOption(
                name: "--cache-dtype", expected: "int8, or left out to follow --dtype", got: "'\(cacheDtype)'")
        }
        return true
    }
}
