/// The colors of a plan's picture; chosen to differ in lightness too, for print and for color-blind eyes.
enum PlanPalette {
    /// The fill of a memory term.
    static func fill(_ kind: TermReport.Kind) -> String {
        switch kind {
        case .visionWeights: "#8b5cf6"
        case .decoderWeights: "#2563eb"
        case .cache: "#0d9488"
        case .tables: "#115e59"
        case .activations: "#f59e0b"
        case .logits: "#ef4444"
        case .staging: "#84cc16"
        case .context: "#94a3b8"
        case .margin: "#cbd5e1"
        }
    }

    /// The color of text on that fill.
    static func ink(_ kind: TermReport.Kind) -> String {
        switch kind {
        case .activations, .staging, .margin: "#0f172a"
        default: "#ffffff"
        }
    }

    /// The color of a hop.
    static func stroke(_ kind: HopReport.Kind) -> String {
        switch kind {
        case .vision: "#8b5cf6"
        case .splice: "#c026d3"
        case .decoder: "#2563eb"
        }
    }

    /// Dark text.
    static let text = "#0f172a"
    /// Text of lesser weight.
    static let faint = "#64748b"
    /// Outlines.
    static let line = "#94a3b8"
}
