using System.Collections.Frozen;

namespace EfScaling.Routing;

/// <summary>The built-in functions that only read: immutable and stable in <c>pg_proc</c>, or volatile only in that each call gives another value.</summary>
/// <remarks>
/// These are the functions that the Npgsql provider translates to, with those of the extensions it maps, plus common ones that applications map
/// themselves. A function that is missing keeps its query on the primary, which is always right.
/// </remarks>
internal static class ReadingFunctions
{
    private static readonly FrozenSet<string> _names =
        """
        abbrev abs acos acosh age array_agg array_append array_cat array_dims array_fill array_length array_lower array_ndims array_position array_positions
        array_prepend array_remove array_replace array_to_json array_to_string array_to_tsvector array_upper ascii asin asinh atan atan2 atan2d atanh avg
        bit_and bit_length bit_or bit_xor bool bool_and bool_or broadcast btrim cardinality cbrt ceil ceiling char char_length character_length chr cidr
        clock_timestamp coalesce concat concat_ws corr cos cosh cot count covar_pop covar_samp cube cube_dim cube_distance cube_enlarge cube_inter
        cube_is_point cube_ll_coord cube_subset cube_union cube_ur_coord cume_dist current_date current_timestamp daterange date date_bin date_part
        date_trunc decode degrees dense_rank difference div dmetaphone dmetaphone_alt encode every exp extract factorial family first_value floor format
        gcd gen_random_uuid generate_series generate_subscripts get_bit get_byte greatest host hostmask index inet_merge inet_same_family initcap
        int4multirange int4range int8multirange int8range interval isempty isfinite json_agg json_array_elements json_array_elements_text
        json_array_length json_build_array json_build_object json_each json_each_text json_extract_path json_extract_path_text json_object
        json_object_agg json_object_keys json_populate_record json_populate_recordset json_query json_to_record json_to_recordset json_typeof json_value
        jsonb_agg jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text
        jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_agg jsonb_object_keys jsonb_path_exists jsonb_path_match
        jsonb_path_query jsonb_path_query_array jsonb_path_query_first jsonb_populate_record jsonb_populate_recordset jsonb_pretty jsonb_set jsonb_set_lax
        jsonb_strip_nulls jsonb_to_record jsonb_to_recordset jsonb_typeof justify_days justify_hours justify_interval lag last_value lca lcm lead least
        left length levenshtein levenshtein_less_equal ln localtimestamp log log10 lower lower_inc lower_inf lpad ltrim macaddr8 macaddr8_set7bit
        make_date make_interval make_time make_timestamp make_timestamptz masklen max md5 metaphone min mod mode multirange name netmask network nlevel
        normalize now nth_value ntile nullif num_nonnulls num_nulls numeric numnode nummultirange numrange octet_length overlay path percent_rank
        percentile_cont percentile_disc phraseto_tsquery pi plainto_tsquery position power querytree radians random range_agg range_intersect_agg
        range_merge rank regexp_count regexp_instr regexp_like regexp_match regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table
        regexp_substr regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy repeat replace reverse right round
        row_number row_to_json rpad rtrim scale set_bit set_byte set_masklen setweight sha224 sha256 sha384 sha512 show_trgm sign similarity sin sinh
        soundex split_part sqrt starts_with statement_timestamp stddev stddev_pop stddev_samp strict_word_similarity string_agg string_to_array
        string_to_table strip strpos subltree subpath substr substring sum tan tanh text time timeofday timestamp timestamptz to_ascii to_char to_date
        to_hex to_json to_jsonb to_number to_timestamp to_tsquery to_tsvector transaction_timestamp translate trim trim_array trim_scale trunc ts_delete
        ts_filter ts_headline ts_rank ts_rank_cd ts_rewrite tsmultirange tsquery_phrase tsrange tstzmultirange tstzrange unaccent unnest upper upper_inc
        upper_inf uuid_generate_v4 uuidv4 uuidv7 var_pop var_samp varchar variance websearch_to_tsquery width_bucket word_similarity
        """.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    // PostGIS defines several hundred functions under this prefix; none of them writes.
    private const string SpatialPrefix = "ST_";

    /// <summary>Returns whether a built-in function is known to only read.</summary>
    public static bool Contains(string name) => _names.Contains(name) || name.StartsWith(SpatialPrefix, StringComparison.OrdinalIgnoreCase);
}
