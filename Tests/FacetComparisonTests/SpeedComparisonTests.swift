import FacetComparison
import Testing

/// Figures side by side.
@Suite struct SpeedComparisonTests {
    private func figure(
        _ program: String, _ median: Double, size: String = "512 tokens", precision: String = "bfloat16",
        threads: Int = 2, limit: Double? = nil
    ) -> SpeedFigure {
        SpeedFigure(
            program: program, work: MeasuredWork(name: "prefill", size: size, model: "small"), precision: precision,
            threads: threads, unit: "tokens/s", median: median, fastest: median, slowest: median, limit: limit)
    }

    @Test("the table shows our speed, its fraction of the limit, each program and the ratio")
    func table() {
        let comparison = SpeedComparison(
            ours: [figure("facet", 600, limit: 800), figure("facet", 5.5, size: "8 tokens")],
            peers: [figure("llama.cpp", 400), figure("pytorch", 9.25, size: "8 tokens")])
        #expect(
            comparison.text == """
                work     size        weights            ours  of limit  llama.cpp  ratio  pytorch  ratio
                prefill  512 tokens  bfloat16   600 tokens/s      75 %        400  ×1.50        –
                prefill  8 tokens    bfloat16  5.50 tokens/s         –          –            9.25  ×0.59

                """)
    }

    @Test("a program with several figures counts with the middle one")
    func middle() {
        let peers = [300.0, 100, 200].map { figure("llama.cpp", $0) }
        let comparison = SpeedComparison(ours: [figure("facet", 400)], peers: peers)
        #expect(comparison.rows[0].peers.map(\.ratio) == [2])
    }

    @Test("other work, precisions and thread counts are not compared, and counted")
    func unmatched() {
        let peers = [
            figure("a", 1, size: "1 token"), figure("a", 1, precision: "int8"), figure("a", 1, threads: 1),
        ]
        let comparison = SpeedComparison(ours: [figure("facet", 400)], peers: peers)
        #expect(comparison.rows[0].peers.isEmpty)
        #expect(comparison.unmatchedCount == 3)
        #expect(comparison.text.contains("3 other figures are of other work"))
    }
}
