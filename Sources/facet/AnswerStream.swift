import FacetEngine
import FacetTerminal

/// Follows one request: progress on a terminal, text as it comes, Control-C to stop.
struct AnswerStream {
    let engine: Engine
    let progress: ProgressLine

    /// Submits a request and waits for its end.
    ///
    /// - Parameter print: called with each piece of text, and once with a final line feed's worth of nothing.
    /// - Returns: the complete answer, or what there was of it when it was interrupted.
    func follow(_ request: Request, print: (String) throws -> Void) async throws -> Completion {
        let interrupt = Interrupt { request.cancel() }
        defer { withExtendedLifetime(interrupt) { progress.clear() } }
        var completion: Completion?
        for try await event in engine.submit(request) {
            switch event {
            case .encodingImage(let share): progress.show("Looking at the picture … \(Int(share * 100)) %")
            case .imageEncoded: progress.show("Reading the question …")
            case .prefill(let prefill):
                progress.show("Reading the question … \(prefill.cachedRowCount) of \(prefill.totalRowCount) tokens")
            case .token(_, let text), .text(let text):
                guard !text.isEmpty else { continue }
                progress.clear()
                try print(text)
            case .finished(let result): completion = result
            }
        }
        guard let completion else { throw EngineError.shutDown }
        return completion
    }
}
