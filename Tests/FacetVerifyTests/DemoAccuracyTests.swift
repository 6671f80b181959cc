import FacetDemo
import FacetEngine
import FacetPlacement
import FacetTensor
import FacetTestSupport
import FacetVerify
import Testing

/// The embedded demo model still answers as it did when it was trained: how precisions, devices and kernels show that
/// they compute the same model.
@Suite(.serialized) struct DemoAccuracyTests {
    /// Tasks that belong together, and the least share of right answers on the committed pictures.
    ///
    /// The floors lie one to four answers below what was measured on this set (93 of 96, 21 of 24, 22 of 24, 24 of 24),
    /// so that rounding may turn a close answer, but no broken operation goes unseen.
    private static let floors: [(name: String, tasks: Set<String>, fraction: Double)] = [
        ("shapes and colors", ["color", "shape", "position", "relation", "describe-en", "describe-zh"], 0.92),
        ("counting", ["count"], 0.83),
        ("reading", ["read"], 0.83),
        ("digits", ["digit"], 0.95),
    ]

    @Test("answers the committed questions", arguments: [DType.float32, .bfloat16])
    func accuracy(_ dtype: DType) async throws {
        let cases = try AccuracyCases(directory: FixtureFolder.path("demo-accuracy"))
        var options = EngineOptions()
        options.dtype = dtype
        let model = try ModelLoader(DemoModel.files, options: options).load(onto: CPUBackend())
        let report = try await cases.run(model, dtype: dtype.rawValue)
        for floor in Self.floors {
            let tally = report.tally(of: floor.tasks)
            #expect(tally.all >= 10, "\(floor.name): the set has too few questions")
            #expect(
                tally.fraction >= floor.fraction,
                "\(floor.name): \(tally.right) of \(tally.all) right in \(dtype), at least \(floor.fraction) expected")
        }
    }

    @Test(
        "quantized weights lose at most half a point in 8 bits, and two in 4",
        arguments: [
            (Precision.float8, 0.005), (.int8, 0.005), (.int8Groups(of: 128), 0.005), (.int4(group: 64), 0.02),
            (.int4(group: 128), 0.02),
        ])
    func quantized(_ precision: Precision, _ loss: Double) async throws {
        let cases = try AccuracyCases(directory: FixtureFolder.path("demo-accuracy"))
        func fraction(_ quantization: PrecisionChoice?) async throws -> Double {
            var options = EngineOptions()
            options.dtype = .bfloat16
            options.quantization = quantization
            let model = try ModelLoader(DemoModel.files, options: options).load(onto: CPUBackend())
            let report = try await cases.run(model, dtype: precision.description)
            return report.tally(of: Set(report.tasks.keys)).fraction
        }
        let choice = PrecisionChoice(vision: precision, decoder: precision, output: precision)
        let (original, quantized) = (try await fraction(nil), try await fraction(choice))
        #expect(quantized >= original - loss, "\(precision): \(quantized) of \(original)")
    }
}
