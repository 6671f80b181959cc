import FacetModel
import FacetTensor
import Testing

@Suite("Configuration")
struct GLM4VConfigurationTests {
    @Test("the published fields are read")
    func readsFields() throws {
        let configuration = try TinyConfiguration.parsed()
        #expect(configuration.layerCount == 2)
        #expect(configuration.attention == AttentionShape(heads: 4, groups: 2, headDimension: 8))
        #expect(configuration.normEpsilon == 1.5625e-07)
        #expect(configuration.ropeRatio == 1)
        #expect(configuration.eosTokenIDs == [50, 51])
        #expect(configuration.padTokenID == 50)
        #expect(configuration.publishedDType == .bfloat16)
        #expect(configuration.patchRowCount == 4)
        #expect(configuration.imageRowCount == 6)
        #expect(configuration.vision.rowCount == 17)
    }

    @Test("missing fields take the defaults of the published configuration class")
    func defaultsOfMissingFields() throws {
        let optional = [
            "num_layers", "padded_vocab_size", "hidden_size", "ffn_hidden_size", "kv_channels", "num_attention_heads",
            "seq_length", "layernorm_epsilon", "add_qkv_bias", "multi_query_group_num", "torch_dtype",
            "eos_token_id", "pad_token_id",
        ]
        let configuration = try TinyConfiguration.parsed(
            Dictionary(uniqueKeysWithValues: optional.map { ($0, nil) }))
        #expect(configuration.layerCount == 28)
        #expect(configuration.vocabularySize == 65024)
        #expect(configuration.hiddenSize == 4096)
        #expect(configuration.intermediateSize == 13696)
        #expect(configuration.attention == AttentionShape(heads: 32, groups: 1, headDimension: 128))
        #expect(configuration.positionLimit == 2048)
        #expect(configuration.normEpsilon == 1e-5)
        #expect(!configuration.hasProjectionBias)
        #expect(!configuration.hasLinearBias)
        #expect(configuration.eosTokenIDs.isEmpty)
        #expect(configuration.padTokenID == nil)
        #expect(configuration.publishedDType == .float32)
    }

    @Test("the rotary ratio may be an integer or a fraction", arguments: [(500, 500.0), (1.5, 1.5)] as [(any Sendable, Double)])
    func ropeRatioForms(written: any Sendable, expected: Double) throws {
        #expect(try TinyConfiguration.parsed(["rope_ratio": written]).ropeRatio == expected)
    }

    @Test("one stop token may stand without a list")
    func singleStopToken() throws {
        #expect(try TinyConfiguration.parsed(["eos_token_id": 7]).eosTokenIDs == [7])
    }

    @Test(
        "a variant that is not implemented is refused with its field",
        arguments: [
            ("multi_query_attention", false), ("rmsnorm", false), ("post_layer_norm", false),
            ("apply_residual_connection_post_layernorm", true), ("original_rope", false),
            ("fp32_residual_connection", true), ("tie_word_embeddings", true), ("pre_seq_len", 128),
            ("torch_dtype", "float8_e4m3fn"), ("kv_channels", 6),
        ] as [(String, any Sendable)])
    func refusesVariant(field: String, value: any Sendable) {
        let error = #expect(throws: ModelError.self) { try TinyConfiguration.parsed([field: value]) }
        guard case .unsupportedField(let named, let file, _, _) = error else {
            Issue.record("\(field): \(String(describing: error))")
            return
        }
        #expect(named == field)
        #expect(file == "config.json")
    }

    @Test("a missing multi_query_attention means false, which is refused")
    func refusesDefaultAttention() {
        #expect(
            throws: ModelError.unsupportedField(
                field: "multi_query_attention", file: "config.json", expected: "true", got: "false")
        ) { try TinyConfiguration.parsed(["multi_query_attention": nil]) }
    }

    @Test("a missing field without default is named", arguments: ["original_rope", "boi_token_id", "eoi_token_id"])
    func refusesMissingField(field: String) {
        let error = #expect(throws: ModelError.self) { try TinyConfiguration.parsed([field: nil]) }
        guard case .missingField(field, "config.json", _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test("every field of the vision tower is needed", arguments: TinyConfiguration.visionFields.keys.sorted())
    func refusesMissingVisionField(field: String) throws {
        if field == "dropout_prob" {
            #expect(throws: Never.self) { try TinyConfiguration.parsed(vision: [field: nil]) }
            return
        }
        let error = #expect(throws: ModelError.self) { try TinyConfiguration.parsed(vision: [field: nil]) }
        guard case .missingField("vision_config." + field, "config.json", _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test(
        "a value that makes no sense is refused with its field",
        arguments: [
            ("num_layers", 0), ("num_layers", -1), ("num_layers", "28"), ("num_layers", 8.5),
            ("hidden_size", 1 << 40), ("kv_channels", 1 << 20), ("multi_query_group_num", 3),
            ("padded_vocab_size", 0), ("seq_length", 0), ("layernorm_epsilon", -1), ("rope_ratio", 0),
            ("add_qkv_bias", 1), ("eos_token_id", [64]), ("eos_token_id", "x"), ("boi_token_id", 64),
            ("eoi_token_id", 60), ("vision_config", 3),
        ] as [(String, any Sendable)])
    func refusesSenselessValue(field: String, value: any Sendable) {
        let error = #expect(throws: ModelError.self) { try TinyConfiguration.parsed([field: value]) }
        guard case .invalidField(field, "config.json", _, _) = error else {
            Issue.record("\(field) \(value): \(String(describing: error))")
            return
        }
    }

    @Test(
        "a tower that cannot be is refused with its field",
        arguments: [
            ("image_size", 70), ("patch_size", 15), ("num_positions", 16), ("in_channels", 1), ("hidden_act", "relu"),
            ("num_heads", 3), ("scaling_factor", 0), ("image_size", 1 << 40), ("layer_norm_eps", "small"),
        ] as [(String, any Sendable)])
    func refusesSenselessTower(field: String, value: any Sendable) {
        let error = #expect(throws: ModelError.self) { try TinyConfiguration.parsed(vision: [field: value]) }
        switch error {
        case .invalidField("vision_config." + field, _, _, _), .unsupportedField("vision_config." + field, _, _, _): break
        default: Issue.record("\(field) \(value): \(String(describing: error))")
        }
    }

    @Test("another architecture is refused by its name")
    func refusesOtherArchitecture() {
        #expect(throws: ModelError.notGLM4V(file: "config.json", modelType: "\"glm4v\"")) {
            try TinyConfiguration.parsed(["model_type": "glm4v"])
        }
    }

    @Test("a text-only model is told apart")
    func refusesTextOnly() {
        #expect(throws: ModelError.textOnly(file: "config.json")) {
            try TinyConfiguration.parsed(["vision_config": nil])
        }
    }

    @Test("a quantized model is refused with its method")
    func refusesQuantization() {
        #expect(throws: ModelError.quantized(file: "config.json", method: "gptq")) {
            try TinyConfiguration.parsed(["quantization_config": ["quant_method": "gptq"]])
        }
    }

    @Test("text that is no JSON object is refused", arguments: ["", "[]", "{", "nonsense"])
    func refusesOtherText(text: String) {
        let error = #expect(throws: ModelError.self) { try GLM4VConfiguration(parsing: Array(text.utf8)) }
        guard case .unreadableConfiguration("config.json", _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test("the preset has the published sizes")
    func preset() throws {
        let preset = try #require(GLM4VConfiguration.presets["glm-4v-9b"])
        #expect(preset.patchRowCount == 1600)
        #expect(preset.vision.rowCount == 6401)
        let small = preset.withLayerCounts(decoder: 1, vision: 2)
        #expect((small.layerCount, small.vision.layerCount) == (1, 2))
        #expect(small.hiddenSize == preset.hiddenSize)
    }
}

@Suite("Generation defaults")
struct GenerationDefaultsTests {
    @Test("the published fields are read, and top-k is the reference library's")
    func readsFields() throws {
        let text = #"{"eos_token_id":[1,2,3],"do_sample":true,"temperature":0.8,"max_length":8192,"top_p":0.8}"#
        let defaults = try GenerationDefaults(
            parsing: Array(text.utf8), configuration: TinyConfiguration.parsed())
        #expect(defaults.eosTokenIDs == [1, 2, 3])
        #expect(defaults.isSampling)
        #expect((defaults.temperature, defaults.topP, defaults.topK) == (0.8, 0.8, 50))
        #expect(defaults.maximumLength == 8192)
        #expect(defaults.repetitionPenalty == 1)
    }

    @Test("without a file the answer is greedy and the configuration's tokens stop it")
    func withoutFile() throws {
        let defaults = GenerationDefaults(try TinyConfiguration.parsed())
        #expect(defaults.eosTokenIDs == [50, 51])
        #expect(!defaults.isSampling)
        #expect(defaults.maximumLength == nil)
        #expect(try GenerationDefaults(parsing: Array("{}".utf8), configuration: TinyConfiguration.parsed()) == defaults)
    }

    @Test(
        "a value that makes no sense is refused",
        arguments: [#"{"temperature":-1}"#, #"{"top_p":1.5}"#, #"{"top_k":-1}"#, #"{"eos_token_id":[9999]}"#])
    func refusesSenselessValue(text: String) {
        #expect(throws: ModelError.self) {
            try GenerationDefaults(parsing: Array(text.utf8), configuration: TinyConfiguration.parsed())
        }
    }
}
