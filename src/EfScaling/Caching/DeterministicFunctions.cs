using System.Collections.Frozen;

namespace EfScaling.Caching;

/// <summary>The built-in functions whose value follows from their arguments alone, and some that are known to be otherwise.</summary>
/// <remarks>
/// Functions that follow <c>TimeZone</c>, <c>DateStyle</c> and the like are among them: those settings are part of the cache's scope. A function that is
/// missing keeps its query out of the cache, which is always right.
/// </remarks>
internal static class DeterministicFunctions
{
    private static readonly FrozenSet<string> _names = Names(
        """
        abbrev abs acos acosh age array_agg array_append array_cat array_dims array_fill array_length array_lower array_ndims array_position array_positions
        array_prepend array_remove array_replace array_to_json array_to_string array_to_tsvector array_upper ascii asin asinh atan atan2 atan2d atanh avg
        bit_and bit_length bit_or bit_xor bool bool_and bool_or broadcast btrim cardinality cbrt ceil ceiling char char_length character_length chr cidr
        coalesce concat concat_ws corr cos cosh cot count covar_pop covar_samp cube cube_dim cube_distance cube_enlarge cube_inter
        cube_is_point cube_ll_coord cube_subset cube_union cube_ur_coord cume_dist daterange date date_bin date_part
        date_trunc decode degrees dense_rank difference div dmetaphone dmetaphone_alt encode every exp extract factorial family first_value floor format
        gcd generate_series generate_subscripts get_bit get_byte greatest host hostmask index inet_merge inet_same_family initcap
        int4multirange int4range int8multirange int8range interval isempty isfinite json_agg json_array_elements json_array_elements_text
        json_array_length json_build_array json_build_object json_each json_each_text json_extract_path json_extract_path_text json_object
        json_object_agg json_object_keys json_query json_to_record json_to_recordset json_typeof json_value
        jsonb_agg jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text
        jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_agg jsonb_object_keys jsonb_path_exists jsonb_path_match
        jsonb_path_query jsonb_path_query_array jsonb_path_query_first jsonb_pretty jsonb_set jsonb_set_lax
        jsonb_strip_nulls jsonb_to_record jsonb_to_recordset jsonb_typeof justify_days justify_hours justify_interval lag last_value lca lcm lead least
        left length levenshtein levenshtein_less_equal ln log log10 lower lower_inc lower_inf lpad ltrim macaddr8 macaddr8_set7bit
        make_date make_interval make_time make_timestamp make_timestamptz masklen max md5 metaphone min mod mode multirange netmask network nlevel
        normalize nth_value ntile nullif num_nonnulls num_nulls numeric numnode nummultirange numrange octet_length overlay path percent_rank
        percentile_cont percentile_disc phraseto_tsquery pi plainto_tsquery position power querytree radians range_agg range_intersect_agg
        range_merge rank regexp_count regexp_instr regexp_like regexp_match regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table
        regexp_substr regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy repeat replace reverse right round
        row_number row_to_json rpad rtrim scale set_bit set_byte set_masklen setweight sha224 sha256 sha384 sha512 show_trgm sign similarity sin sinh
        soundex split_part sqrt starts_with stddev stddev_pop stddev_samp strict_word_similarity string_agg string_to_array
        string_to_table strip strpos subltree subpath substr substring sum tan tanh text time timestamp timestamptz timetz timezone to_ascii to_char to_date
        to_hex to_json to_jsonb to_number to_timestamp to_tsquery to_tsvector translate trim trim_array trim_scale trunc ts_delete
        ts_filter ts_headline ts_rank ts_rank_cd ts_rewrite tsmultirange tsquery_phrase tsrange tstzmultirange tstzrange unaccent unnest upper upper_inc
        upper_inf var_pop var_samp varchar variance websearch_to_tsquery width_bucket word_similarity
        anytextcat textanycat interval_pl_timestamptz timestamptz_mi_interval timestamptz_pl_interval
        date_eq_timestamptz date_ge_timestamptz date_gt_timestamptz date_le_timestamptz date_lt_timestamptz date_ne_timestamptz
        timestamp_eq_timestamptz timestamp_ge_timestamptz timestamp_gt_timestamptz timestamp_le_timestamptz timestamp_lt_timestamptz timestamp_ne_timestamptz
        timestamptz_eq_date timestamptz_ge_date timestamptz_gt_date timestamptz_le_date timestamptz_lt_date timestamptz_ne_date
        timestamptz_eq_timestamp timestamptz_ge_timestamp timestamptz_gt_timestamp timestamptz_le_timestamp timestamptz_lt_timestamp timestamptz_ne_timestamp
        """);

    private static readonly FrozenSet<string> _volatile = Names(
        """
        clock_timestamp current_date current_time current_timestamp gen_random_uuid lastval localtime localtimestamp nextval now currval random random_normal
        statement_timestamp timeofday transaction_timestamp txid_current txid_current_if_assigned txid_current_snapshot pg_current_snapshot
        pg_current_xact_id pg_current_xact_id_if_assigned setseed uuid_generate_v1 uuid_generate_v1mc uuid_generate_v4 uuidv4 uuidv7 st_generatepoints
        """);

    private static readonly FrozenSet<string> _sessionState = Names(
        """
        current_catalog current_database current_query current_role current_schema current_schemas current_setting current_user inet_client_addr
        inet_client_port inet_server_addr inet_server_port pg_backend_pid pg_is_in_recovery pg_my_temp_schema session_user user
        """);

    // With fewer arguments the present day or the session's default configuration stands in for one; ts_rewrite runs its argument as a query.
    private static readonly FrozenDictionary<string, int> _leastArguments = new Dictionary<string, int>
    {
        ["age"] = 2,
        ["phraseto_tsquery"] = 2,
        ["plainto_tsquery"] = 2,
        ["to_tsquery"] = 2,
        ["to_tsvector"] = 2,
        ["ts_headline"] = 4,
        ["ts_rewrite"] = 3,
        ["websearch_to_tsquery"] = 2,
    }.ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);

    // PostGIS defines several hundred functions under this prefix. These few ask the statistics, other tables or a generator of random numbers.
    private const string SpatialPrefix = "ST_";

    private static readonly FrozenSet<string> _spatialExceptions = Names("st_estimatedextent st_findextent st_generatepoints st_transform");

    /// <summary>Judges a built-in function.</summary>
    /// <param name="name">The name in any case.</param>
    /// <param name="arguments">With how many arguments it is called.</param>
    /// <returns>Why its value does not follow from its arguments; <see langword="null"/> if it does.</returns>
    public static CacheObstacle? Judge(string name, int arguments)
    {
        if (_volatile.Contains(name))
        {
            return CacheObstacle.VolatileFunction;
        }

        if (_sessionState.Contains(name))
        {
            return CacheObstacle.SessionState;
        }

        if (_leastArguments.TryGetValue(name, out var least) && arguments < least)
        {
            return name.Equals("age", StringComparison.OrdinalIgnoreCase) ? CacheObstacle.VolatileFunction
                : name.Equals("ts_rewrite", StringComparison.OrdinalIgnoreCase) ? CacheObstacle.UnknownFunction
                : CacheObstacle.SessionState;
        }

        return _names.Contains(name) || (name.StartsWith(SpatialPrefix, StringComparison.OrdinalIgnoreCase) && !_spatialExceptions.Contains(name))
            ? null
            : CacheObstacle.UnknownFunction;
    }

    private static FrozenSet<string> Names(string names) =>
        names.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).ToFrozenSet(StringComparer.OrdinalIgnoreCase);
}
