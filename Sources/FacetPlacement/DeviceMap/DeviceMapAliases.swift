/// Names of modules that guides and older versions of the model's code use.
///
/// Sources: the device maps in the repositories of ChatGLM-6B and ChatGLM2-6B (`utils.py`) and in published guides to
/// running GLM-4V on several cards, which were written for other versions of the code than the published checkpoint.
enum DeviceMapAliases {
    /// The name that the checkpoint has for `key`, or the key itself when no alias fits.
    static func canonical(_ key: String, _ names: ModuleNames) -> String {
        if names.contains(key) { return key }
        for (alias, name) in prefixes where key == alias || key.hasPrefix(alias + ".") {
            let renamed = name + key.dropFirst(alias.count)
            if names.contains(renamed) { return renamed }
        }
        for root in names.children(of: "") where names.contains("\(root).\(key)") { return "\(root).\(key)" }
        return key
    }

    /// Whether a key names a part without weights of a module that exists, as maps written by libraries do.
    static func isWeightless(_ key: String, _ names: ModuleNames) -> Bool {
        guard let dot = key.lastIndex(of: ".") else { return false }
        return weightless.contains(String(key[key.index(after: dot)...])) && names.contains(String(key[..<dot]))
    }

    private static let prefixes = [
        ("transformer.h", "transformer.encoder.layers"),
        ("transformer.layers", "transformer.encoder.layers"),
        ("transformer.word_embeddings", "transformer.embedding.word_embeddings"),
        ("transformer.wte", "transformer.embedding.word_embeddings"),
        ("transformer.embeddings", "transformer.embedding"),
        ("transformer.final_layernorm", "transformer.encoder.final_layernorm"),
        ("transformer.ln_f", "transformer.encoder.final_layernorm"),
        ("lm_head", "transformer.output_layer"),
        ("transformer.lm_head", "transformer.output_layer"),
        ("transformer.vision_model", "transformer.vision"),
        ("transformer.vision.layers", "transformer.vision.transformer.layers"),
        ("transformer.vision_tower", "transformer.vision"),
    ]

    private static let weightless: Set<String> = ["act1", "activation_fn", "core_attention", "activation_func"]
}
