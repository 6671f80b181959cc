public import FacetPlacement

/// The value of `--dtype` in plans: a precision, or one for each part.
public enum PrecisionText {
    /// Reads `bfloat16`, `int8` or `vision=bfloat16,decoder=int8`; parts that are not named take `fallback`.
    ///
    /// - Throws: `.malformed`, `.unknown`, `.duplicate`.
    public static func parse(
        _ text: String, fallback: Precision, input: String = "--dtype"
    ) throws(PlacementInputError) -> PrecisionChoice {
        let entries = EntryText.entries(of: text)
        if entries.count == 1, EntryText.sides(of: entries[0]).value == nil {
            return PrecisionChoice(try precision(entries[0], input))
        }
        var parts: [String: Precision] = [:]
        for entry in entries {
            let (name, value) = EntryText.sides(of: entry)
            guard let value else { throw .malformed(input: input, entry: entry, expected: "PART=TYPE") }
            guard partNames.contains(name.lowercased()) else {
                throw .unknown(
                    input: input, name: name, expected: partNames.joined(separator: ", "),
                    nearest: EditDistance.nearest(to: name, in: partNames))
            }
            guard parts.updateValue(try precision(value, input), forKey: name.lowercased()) == nil else {
                throw .duplicate(input: input, entry: entry, first: "\(name)=…")
            }
        }
        return PrecisionChoice(
            vision: parts["vision"] ?? fallback, decoder: parts["decoder"] ?? fallback, output: parts["output"])
    }

    /// The value of the option that asks for a choice; `parse` reads it back.
    public static func option(_ choice: PrecisionChoice) -> String {
        let parts = [("vision", choice.vision), ("decoder", choice.decoder), ("output", choice.output)]
        return parts.map { part, precision in
            "\(part)=\(names.first { $0.1 == precision }?.0 ?? precision.description)"
        }.joined(separator: ",")
    }

    private static let partNames = ["vision", "decoder", "output"]

    private static func precision(_ name: String, _ input: String) throws(PlacementInputError) -> Precision {
        guard let precision = names.first(where: { $0.0 == name.lowercased() })?.1 else {
            let shown = names.map(\.0)
            throw .unknown(
                input: input, name: name, expected: "float32, bfloat16, float16, fp8, int8 or int4",
                nearest: EditDistance.nearest(to: name, in: shown))
        }
        return precision
    }

    /// Every spelling that is understood.
    private static let names: [(String, Precision)] = [
        ("float32", .float32), ("fp32", .float32), ("f32", .float32), ("bfloat16", .bfloat16), ("bf16", .bfloat16),
        ("float16", .float16), ("fp16", .float16), ("f16", .float16), ("half", .float16), ("fp8", .float8),
        ("float8", .float8), ("fp8-blocks", .float8Blocks(side: 128)), ("int8", .int8),
        ("int8-128", .int8Groups(of: 128)), ("int4", .int4(group: 64)), ("int4-128", .int4(group: 128)),
    ]
}
